"""One start of the device plugin: from settings and NVML to the resources that it will serve, or the reason why not.

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
from conformance.sim.device_plugin.inventory import Gpu, read_gpus
from conformance.sim.device_plugin.klog import Klog
from conformance.sim.device_plugin.profile_names import ProfileNameError
from conformance.sim.device_plugin.server import ResourceServer
from conformance.sim.device_plugin.settings import Settings
from conformance.sim.faults import Faults
from conformance.sim.nvml import Nvml
from conformance.spec.names import Strategy

_DEVICE_LISTS: Final = ("envvar", "volume-mounts", "cdi-annotations", "cdi-cri")
_PROJECT: Final = "https://github.com/NVIDIA/k8s-device-plugin"
_ADVICE: Final = (
    "If this is a GPU node, did you set the docker default runtime to `nvidia`?",
    f"You can check the prerequisites at: {_PROJECT}#prerequisites",
    f"You can learn how to set the runtime at: {_PROJECT}#quick-start",
    "If this is not a GPU node, you should set up a toleration or nodeSelector to only deploy this plugin on GPU nodes",
)
_NO_LIBRARY: Final = "libnvidia-ml.so.1: cannot open shared object file: No such file or directory"


class StartError(Exception):
    """The plugin ends with exit code 1; the message is what it logs after `error starting plugins: `."""


@dataclass(frozen=True)
class Started:
    """What a start came to.

    Attributes:
        servers: One per resource with devices; empty where the plugin idles.
        cdi: The CDI specification; None where no CDI strategy is set.
    """

    servers: Sequence[ResourceServer] = ()
    cdi: Mapping[str, Any] | None = None


def start(
    nvml: Nvml,
    settings: Settings,
    *,
    whole_names: bool,
    faults: Faults,
    log: Klog,
    control_nodes: Sequence[str] = (),
) -> Started:
    """Enumerate the devices and build a server for each resource.

    Args:
        nvml: The node's NVML; need not be initialised.
        settings: Of the plugin.
        whole_names: See `build_device_map`.
        faults: Defects that are switched on.
        log: Takes warnings and errors.
        control_nodes: See `ResourceServer`.

    Raises:
        StartError: The settings or the geometry cannot be served.
    """
    failure = _initialise(nvml)
    has_library = failure is None or failure.value != pynvml.NVML_ERROR_LIBRARY_NOT_FOUND
    strategy = _validate(settings, has_library)
    _check_patterns(strategy, settings, failure, has_library, log)
    if not has_library:
        log.warning("plugin-manager.go:108", "Unsupported platform detected; defaulting to nvml")
    before = "error getting plugins: unable to create plugins: failed to construct resource managers: "
    if failure is not None:
        _explain(failure, log)
        if settings.fail_on_init_error:
            raise StartError(f"{before}nvml init failed: {error_text(failure)}")
        log.warning("factory.go:107", f"nvml init failed: {error_text(failure)}")
        return Started()
    before += "error building device map: error building device map from config.resources: "
    try:
        gpus = read_gpus(nvml)
        device_map = build_device_map(
            gpus, strategy, settings.sharing, whole_names=whole_names, faults=faults, log=log
        )
    except (DeviceMapError, ProfileNameError, pynvml.NVMLError) as error:
        raise StartError(f"{before}{error}") from error
    finally:
        nvml.nvmlShutdown()
    _check_mps(settings, device_map)
    servers = [ResourceServer(name, devices, settings, faults, control_nodes) for name, devices in device_map.items()]
    return Started(servers, _cdi(settings, gpus))


def error_text(error: pynvml.NVMLError) -> str:
    """Return go-nvml's words for an error: NVML's own, or the constant's name while there is no library to ask."""
    if error.value == pynvml.NVML_ERROR_LIBRARY_NOT_FOUND:
        return "ERROR_LIBRARY_NOT_FOUND"
    return str(error)


def _initialise(nvml: Nvml) -> pynvml.NVMLError | None:
    try:
        nvml.nvmlInit()
    except pynvml.NVMLError as error:
        return error
    return None


def _validate(settings: Settings, has_library: bool) -> Strategy:
    before = "unable to validate flags: "
    for way in settings.device_list:
        if way not in _DEVICE_LISTS:
            raise StartError(f"{before}invalid --device-list-strategy option: invalid strategy: {way}")
    if _uses_cdi(settings) and not has_library:
        raise StartError(f"{before}CDI --device-list-strategy options are only supported on NVML-based systems")
    if settings.device_id not in ("uuid", "index"):
        raise StartError(f"{before}invalid --device-id-strategy option: {settings.device_id}")
    if settings.allocation_policy not in ("distributed", "packed"):
        raise StartError(f"{before}invalid --shared-devices-allocation-policy option: {settings.allocation_policy}")
    if settings.sharing.strategy == "mps":
        if settings.strategy == Strategy.MIXED:
            raise StartError(f"{before}using --mig-strategy=mixed is not supported with MPS")
        if not settings.mps_root:
            raise StartError(f"{before}using MPS requires --mps-root to be specified")
    if settings.strategy not in set(Strategy):
        raise StartError(f"{before}unknown MIG strategy: {settings.strategy}")
    return Strategy(settings.strategy)


def _check_patterns(
    strategy: Strategy, settings: Settings, failure: pynvml.NVMLError | None, has_library: bool, log: Klog
) -> None:
    """Under `mixed` the profiles are asked for before anything else, so that is where a dead NVML shows first."""
    if strategy is not Strategy.MIXED or failure is None:
        return
    if not has_library:
        log.warning("rm.go:121", 'mig-strategy="mixed" is only supported with NVML')
        log.warning("rm.go:122", f"NVML not detected: could not load NVML library: {_NO_LIBRARY}")
    elif settings.fail_on_init_error:
        raise StartError(f"unable to add default resources to config: failed to initialize NVML: {error_text(failure)}")


def _explain(failure: pynvml.NVMLError, log: Klog) -> None:
    log.failure("factory.go:99", f"Failed to initialize NVML: {error_text(failure)}.")
    for line, text in enumerate(_ADVICE, start=100):
        log.failure(f"factory.go:{line}", text)


def _check_mps(settings: Settings, device_map: DeviceMap) -> None:
    if settings.sharing.strategy == "mps" and any(one.is_mig for devices in device_map.values() for one in devices):
        raise StartError(
            "error getting plugins: unable to create plugins: failed to create plugin: "
            "sharing using MPS is not supported for MIG devices"
        )


def _cdi(settings: Settings, gpus: Sequence[Gpu]) -> Mapping[str, Any] | None:
    return cdi_spec(gpus, settings.device_id) if _uses_cdi(settings) else None


def _uses_cdi(settings: Settings) -> bool:
    return any(way.startswith("cdi-") for way in settings.device_list)
