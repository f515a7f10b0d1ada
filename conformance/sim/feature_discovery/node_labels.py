"""All labels of one run of GPU Feature Discovery.

Source: NVIDIA/k8s-device-plugin v0.20.0, internal/lm (labeler.go, nvml.go, machine-type.go, timestamp.go, vgpu.go) and
internal/resource/fallback.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pynvml

from conformance.sim.device_plugin.inventory import Gpu, read_gpus
from conformance.sim.device_plugin.klog import Klog
from conformance.sim.device_plugin.profile_names import ProfileNameError
from conformance.sim.device_plugin.settings import Settings
from conformance.sim.device_plugin.sharing import Sharing
from conformance.sim.device_plugin.start import error_text
from conformance.sim.faults import Faults
from conformance.sim.feature_discovery.labels import LabelError, Labelling, Labels, cleaned, resource_labels
from conformance.sim.nvml import Nvml
from conformance.spec import names

_CUDA_MAJOR: Final = 1000
_CUDA_MINOR: Final = 10
_VGPU_PRESENT: Final = "nvidia.com/vgpu.present"
_MODE: Final = "compute"
"""All simulated boards are 3D controllers (PCI class 0x0302), which count as compute."""


def labels(
    nvml: Nvml,
    settings: Settings,
    *,
    machine: str,
    timestamp: int | None,
    faults: Faults,
    log: Klog,
    last: str | None = None,
    version: str = "",
) -> Labels:
    """Compute the labels of a node.

    Args:
        nvml: NVML of the node; need not be initialised.
        settings: Settings of the program.
        machine: DMI product name.
        timestamp: Unix seconds at which the process started; None for no timestamp label.
        faults: The faults that are switched on.
        log: Log for warnings.
        last: See `resource_labels`.
        version: Image tag of the program; empty for the newest.

    Raises:
        LabelError: NVML cannot be initialised or read, the strategy is unknown, or MPS is configured while MIG is on.
    """
    found: Labels = {} if timestamp is None else {names.GFD_TIMESTAMP: str(timestamp)}
    try:
        nvml.nvmlInit()
    except pynvml.NVMLError as error:
        reason = f"initialize resource manager: {error_text(error)}"
        if settings.fail_on_init_error:
            raise LabelError(f"error creating labeler: failed to {reason}") from error
        log.warning("fallback.go:40", f"Failed to {reason}")
    else:
        labelling = Labelling(settings.strategy, settings.sharing, faults, log.warning, version)
        found |= _device_labels(nvml, labelling, machine, last)
    found[_VGPU_PRESENT] = "false"
    if len(found) <= 1:
        log.warning("main.go:278", "No labels generated from any source")
    return found


def _device_labels(nvml: Nvml, labelling: Labelling, machine: str, last: str | None) -> Labels:
    try:
        gpus = read_gpus(nvml)
        if not gpus:
            return {}
        return (
            {"nvidia.com/gpu.machine": cleaned(machine), "nvidia.com/gpu.mode": _MODE}
            | _versions(nvml)
            | {names.MIG_CAPABLE: _boolean(_is_mig_capable(gpus, labelling.faults))}
            | {"nvidia.com/mps.capable": _boolean(_is_mps_capable(gpus, labelling.sharing))}
            | resource_labels(gpus, labelling, last)
        )
    except (LabelError, ProfileNameError, pynvml.NVMLError) as error:
        raise LabelError(f"error creating labeler: {error}") from error
    finally:
        nvml.nvmlShutdown()


def _versions(nvml: Nvml) -> Labels:
    driver = nvml.nvmlSystemGetDriverVersion()
    major, minor, revision = (*driver.split("."), "")[:3]
    number = nvml.nvmlSystemGetCudaDriverVersion_v2()
    cuda_major, cuda_minor = str(number // _CUDA_MAJOR), str(number % _CUDA_MAJOR // _CUDA_MINOR)
    values = {
        "driver-version.major": major,
        "driver-version.minor": minor,
        "driver-version.revision": revision,
        "driver-version.full": driver,
        "runtime-version.major": cuda_major,
        "runtime-version.minor": cuda_minor,
        "runtime-version.full": f"{cuda_major}.{cuda_minor}",
        "driver.major": major,
        "driver.minor": minor,
        "driver.rev": revision,
        "runtime.major": cuda_major,
        "runtime.minor": cuda_minor,
    }
    return {f"nvidia.com/cuda.{key}": value for key, value in values.items()}


def _is_mig_capable(gpus: Sequence[Gpu], faults: Faults) -> bool:
    return any(gpu.mig_capable for gpu in gpus) or faults.on("gfd-calls-every-gpu-capable")


def _is_mps_capable(gpus: Sequence[Gpu], sharing: Sharing) -> bool:
    if sharing.strategy != "mps":
        return False
    if any(gpu.mig_enabled for gpu in gpus):
        raise LabelError(
            "error creating sharing labeler: failed to check MPS-capable: MPS sharing is not supported for mig devices"
        )
    return True


def _boolean(value: bool) -> str:
    return "true" if value else "false"
