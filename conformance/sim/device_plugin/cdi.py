"""The CDI specification that the device plugin writes at its start.

Source: NVIDIA/k8s-device-plugin v0.20.0, internal/cdi/cdi.go; NVIDIA/nvidia-container-toolkit 1.20.0, pkg/nvcdi.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from conformance.sim.device_plugin.inventory import Gpu

FILE: Final = "/var/run/cdi/k8s.device-plugin.nvidia.com-gpu.json"
KIND: Final = "k8s.device-plugin.nvidia.com/gpu"


def qualified_name(device: str) -> str:
    """Full CDI name of a device; `device` is its UUID or its index."""
    return f"{KIND}={device}"


def cdi_spec(gpus: Sequence[Gpu], device_id: str) -> dict[str, Any]:
    """List whole GPUs with MIG off and all MIG devices; a GPU in MIG mode is left out.

    Args:
        gpus: All GPUs of the node.
        device_id: `uuid` or `index`, how devices are called.

    Returns:
        The specification without the edits of each device: containers of the simulator have no file system.
    """
    by_index = device_id == "index"
    whole = [str(gpu.index) if by_index else gpu.uuid for gpu in gpus if not gpu.mig_enabled]
    mig = [f"{gpu.index}:{one.index}" if by_index else one.uuid for gpu in gpus for one in gpu.devices]
    return {
        "cdiVersion": "0.5.0",
        "kind": KIND,
        "devices": [{"name": name} for name in sorted(whole + mig)],
        "containerEdits": {"env": ["NVIDIA_VISIBLE_DEVICES=void"]},
    }
