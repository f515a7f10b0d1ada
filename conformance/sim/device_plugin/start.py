"""The start of the device plugin: enumerates devices and builds a server for each resource, or fails with a reason.

Source: NVIDIA/k8s-device-plugin v0.20.0, cmd/nvidia-device-plugin/main.go and plugin-manager.go,
internal/plugin/factory.go, internal/rm/rm.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pynvml

from conformance.sim.device_plugin.cdi import cdi_spec
from conformance.sim.device_plugin.device_map import DeviceMap, DeviceMapError, build_device_map
from conformance.sim.device_plugin.inventory import read_gpus
from conformance.sim.device_plugin.klog import Klog
from conformance.sim.device_plugin.options import SettingsError
from conformance.sim.device_plugin.profile_names import ProfileNameError
from conformance.sim.device_plugin.server import ResourceServer
from conformance.sim.device_plugin.settings import Settings, uses_cdi, validate
from conformance.sim.device_plugin.versions import Behaviour
from conformance.sim.faults import Faults
from conformance.sim.nvml import Nvml
from conformance.sim.nvml.system import ERROR_TEXTS
from conformance.spec.names import Strategy

NEWEST: Final = Behaviour()
_NO_PLUGINS: Final = "error getting plugins: "
_NO_MANAGERS: Final = f"{_NO_PLUGINS}unable to create plugins: failed to construct resource managers: "
_NO_CDI_SPEC: Final = f"{_NO_PLUGINS}unable to create cdi spec file: "
_NO_GENERATORS: Final = "failed to construct device spec generators: failed to initialize NVML: "
_NO_CDI_DEVICES: Final = "failed to save CDI spec: failed to write spec: invalid CDI Spec: invalid spec, no devices"
"""How the library answers a specification without devices: container-device-interface v1.1.0, pkg/cdi/spec.go."""
_PROJECT: Final = "https://github.com/NVIDIA/k8s-device-plugin"
_ADVICE: Final = (
    "If this is a GPU node, did you set the docker default runtime to `nvidia`?",
    f"You can check the prerequisites at: {_PROJECT}#prerequisites",
    f"You can learn how to set the runtime at: {_PROJECT}#quick-start",
    "If this is not a GPU node, you should set up a toleration or nodeSelector to only deploy this plugin on GPU nodes",
)
_NO_LIBRARY: Final = "libnvidia-ml.so.1: cannot open shared object file: No such file or directory"


class StartError(Exception):
    """The plugin exits with code 1; the message is the log line after `error starting plugins: `."""


@dataclass(frozen=True)
class Started:
    """Result of a start.

    Attributes:
        servers: One server per resource with devices; empty if the plugin idles.
        cdi: The CDI specification; None without a CDI strategy.
    """

    servers: Sequence[ResourceServer] = ()
    cdi: Mapping[str, Any] | None = None


def start(
    nvml: Nvml,
    settings: Settings,
    behaviour: Behaviour = NEWEST,
    *,
    faults: Faults,
    log: Klog,
    control_nodes: Sequence[str] = (),
) -> Started:
    """Enumerate the devices and build a server for each resource.

    Args:
        nvml: NVML of the node; need not be initialised.
        settings: Settings of the plugin.
        behaviour: What depends on the version of the plugin.
        faults: The faults that are switched on.
        log: Log for warnings and errors.
        control_nodes: See `ResourceServer`.

    Raises:
        StartError: The settings are invalid, or the geometry cannot be served.
    """
    failure = _initialise(nvml)
    has_library = failure is None or failure.value != pynvml.NVML_ERROR_LIBRARY_NOT_FOUND
    strategy = _usable_strategy(settings, has_library)
    _check_patterns(strategy, settings, failure, has_library, log)
    if not has_library:
        log.warning("plugin-manager.go:108", "Unsupported platform detected; defaulting to nvml")
    if failure is not None:
        _idle_or_end(failure, settings, log)
        if uses_cdi(settings):
            raise StartError(f"{_NO_CDI_SPEC}failed to get CDI spec: {_NO_GENERATORS}{error_text(failure)}")
        return Started()
    try:
        gpus = read_gpus(nvml)
        found = build_device_map(
            gpus, strategy, settings.sharing, whole_names=behaviour.whole_names, faults=faults, log=log
        )
    except (DeviceMapError, ProfileNameError, pynvml.NVMLError) as error:
        before = "error building device map: error building device map from config.resources: "
        raise StartError(f"{_NO_MANAGERS}{before}{error}") from error
    finally:
        nvml.nvmlShutdown()
    _check_mps(settings, found)
    servers = [
        ResourceServer(name, devices, settings, faults, control_nodes, unique_ids=behaviour.unique_ids)
        for name, devices in found.items()
    ]
    if not uses_cdi(settings):
        return Started(servers)
    spec = cdi_spec(gpus, settings.device_id, with_parents=not behaviour.cdi_without_parents)
    if behaviour.cdi_without_parents and not spec["devices"]:
        raise StartError(f"{_NO_CDI_SPEC}{_NO_CDI_DEVICES}")
    return Started(servers, spec)


def error_text(error: pynvml.NVMLError) -> str:
    """Return the text of go-nvml for an error: that of NVML, or without the library the name of the constant."""
    if error.value == pynvml.NVML_ERROR_LIBRARY_NOT_FOUND:
        return "ERROR_LIBRARY_NOT_FOUND"
    return ERROR_TEXTS.get(error.value, "Unknown Error")


def _initialise(nvml: Nvml) -> pynvml.NVMLError | None:
    try:
        nvml.nvmlInit()
    except pynvml.NVMLError as error:
        return error
    return None


def _usable_strategy(settings: Settings, has_library: bool) -> Strategy:
    try:
        return validate(settings, has_library=has_library)
    except SettingsError as error:
        raise StartError(f"unable to validate flags: {error}") from error


def _check_patterns(
    strategy: Strategy, settings: Settings, failure: pynvml.NVMLError | None, has_library: bool, log: Klog
) -> None:
    """Check NVML for strategy `mixed`, which lists the profiles before anything else and so fails first."""
    if strategy is not Strategy.MIXED or failure is None:
        return
    if not has_library:
        log.warning("rm.go:121", 'mig-strategy="mixed" is only supported with NVML')
        log.warning("rm.go:122", f"NVML not detected: could not load NVML library: {_NO_LIBRARY}")
    elif settings.fail_on_init_error:
        raise StartError(f"unable to add default resources to config: failed to initialize NVML: {error_text(failure)}")


def _idle_or_end(failure: pynvml.NVMLError, settings: Settings, log: Klog) -> None:
    log.failure("factory.go:99", f"Failed to initialize NVML: {error_text(failure)}.")
    for line, text in enumerate(_ADVICE, start=100):
        log.failure(f"factory.go:{line}", text)
    message = f"nvml init failed: {error_text(failure)}"
    if settings.fail_on_init_error:
        raise StartError(f"{_NO_MANAGERS}{message}")
    log.warning("factory.go:107", message)


def _check_mps(settings: Settings, found: DeviceMap) -> None:
    if settings.sharing.strategy == "mps" and any(one.is_mig for devices in found.values() for one in devices):
        raise StartError(
            f"{_NO_PLUGINS}unable to create plugins: failed to create plugin: "
            "sharing using MPS is not supported for MIG devices"
        )
