"""The CDI specification that the device plugin writes at startup.

Source: NVIDIA/k8s-device-plugin v0.20.0, internal/cdi/cdi.go; NVIDIA/nvidia-container-toolkit 1.20.0, pkg/nvcdi.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from conformance.sim.device_plugin.inventory import Gpu

FILE: Final = "/var/run/cdi/k8s.device-plugin.nvidia.com-gpu.json"
KIND: Final = "k8s.device-plugin.nvidia.com/gpu"


def qualified_name(device: str) -> str:
    """Return the full CDI name of a device; `device` is its UUID or index."""
    return f"{KIND}={device}"


def cdi_spec(gpus: Sequence[Gpu], device_id: str, *, with_parents: bool = False) -> dict[str, Any]:
    """Return the specification for all GPUs with MIG off and all MIG devices.

    Args:
        gpus: All GPUs of the node.
        device_id: `uuid` or `index`: how devices are named.
        with_parents: Whether GPUs in MIG mode are in it as well, as before v0.18.0.

    Returns:
        The specification without edits per device, since simulated containers have no file system.
    """
    by_index = device_id == "index"
    whole = [str(gpu.index) if by_index else gpu.uuid for gpu in gpus if with_parents or not gpu.mig_enabled]
    mig = [f"{gpu.index}:{one.index}" if by_index else one.uuid for gpu in gpus for one in gpu.devices]
    return {
        "cdiVersion": "0.5.0",
        "kind": KIND,
        "devices": [{"name": name} for name in sorted(whole + mig)],
        "containerEdits": {"env": ["NVIDIA_VISIBLE_DEVICES=void"]},
    }
