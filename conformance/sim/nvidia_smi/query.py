"""`nvidia-smi --query-gpu=FIELDS --format=csv`: chosen figures of each GPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any

from conformance.sim.nvidia_smi.answer import Answer, View

NOT_AVAILABLE = "[N/A]"
FIELDS: MappingProxyType[str, Callable[[View, int], str]] = MappingProxyType({
    "index": lambda _, index: str(index),
    "count": lambda view, _: str(view.nvml.nvmlDeviceGetCount()),
    "name": lambda view, index: view.nvml.nvmlDeviceGetName(view.handle(index)),
    "uuid": lambda view, index: view.nvml.nvmlDeviceGetUUID(view.handle(index)),
    "driver_version": lambda view, _: view.nvml.nvmlSystemGetDriverVersion(),
    "pci.bus_id": lambda view, index: _pci(view, index).busId.decode(),
    "pci.device_id": lambda view, index: f"0x{_pci(view, index).pciDeviceId:08X}",
    "pci.sub_device_id": lambda view, index: f"0x{_pci(view, index).pciSubSystemId:08X}",
    "memory.total": lambda view, index: f"{_memory(view, index).total >> 20} MiB",
    "memory.used": lambda view, index: f"{_memory(view, index).used >> 20} MiB",
    "memory.free": lambda view, index: f"{_memory(view, index).free >> 20} MiB",
    "compute_cap": lambda view, index: "{}.{}".format(
        *view.nvml.nvmlDeviceGetCudaComputeCapability(view.handle(index))
    ),
    "mig.mode.current": lambda view, index: _mode(view, index, 0),
    "mig.mode.pending": lambda view, index: _mode(view, index, 1),
})
"""Field to its value for a GPU index. Source of names: `nvidia-smi --help-query-gpu`, driver 580."""
ALIASES = MappingProxyType({"gpu_name": "name", "gpu_uuid": "uuid", "gpu_bus_id": "pci.bus_id"})
FORMATS = frozenset({"csv", "noheader", "nounits"})


def gpus(view: View, fields: str, form: Sequence[str]) -> Answer:
    """One line for each GPU, under a line of the field names unless `noheader` is asked for."""
    options = form[0].removeprefix("--format=").split(",") if len(form) == 1 else []
    if "csv" not in options or not FORMATS.issuperset(options):
        return 2, '"--format=" switch is missing. Please run \'nvidia-smi -h\' for help.\n'
    names = [ALIASES.get(name.strip(), name.strip()) for name in fields.split(",")]
    for name in names:
        if name not in FIELDS:
            return 2, f'Field "{name}" is not a valid field to query.\n\n'
    lines = [] if "noheader" in options else [", ".join(_head(name, "nounits" not in options) for name in names)]
    for index, _ in view.gpus:
        values = [FIELDS[name](view, index) for name in names]
        lines.append(", ".join(value.removesuffix(" MiB") if "nounits" in options else value for value in values))
    return 0, "\n".join(lines) + "\n"


def _head(name: str, units: bool) -> str:
    return f"{name} [MiB]" if units and name.startswith("memory.") else name


def _pci(view: View, index: int) -> Any:
    return view.nvml.nvmlDeviceGetPciInfo(view.handle(index))


def _memory(view: View, index: int) -> Any:
    return view.nvml.nvmlDeviceGetMemoryInfo(view.handle(index))


def _mode(view: View, index: int, which: int) -> str:
    handle = view.handle(index)
    if not view.nvml.gpu_of(handle).mig_capable:
        return NOT_AVAILABLE
    return "Enabled" if view.nvml.nvmlDeviceGetMigMode(handle)[which] else "Disabled"
