"""`nvidia-smi --query-gpu=FIELDS --format=csv`: selected properties of each GPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import MappingProxyType
from typing import Any

from conformance.sim.nvidia_smi.answer import Answer, UsageError, View

NOT_AVAILABLE = "[N/A]"
NOT_PERMITTED = "[Insufficient Permissions]"
FIELDS: MappingProxyType[str, Callable[[View, int], str]] = MappingProxyType(
    {
        "index": lambda _, index: str(index),
        "count": lambda view, _: str(view.nvml.nvmlDeviceGetCount()),
        "name": lambda view, index: view.nvml.nvmlDeviceGetName(view.handle(index)),
        "uuid": lambda view, index: view.nvml.nvmlDeviceGetUUID(view.handle(index)),
        "driver_version": lambda view, _: view.nvml.nvmlSystemGetDriverVersion(),
        "pci.bus_id": lambda view, index: _pci(view, index).busId,
        "pci.device_id": lambda view, index: f"0x{_pci(view, index).pciDeviceId:08X}",
        "pci.sub_device_id": lambda view, index: f"0x{_pci(view, index).pciSubSystemId:08X}",
        "memory.total": lambda view, index: _memory(view, index, "total"),
        "memory.used": lambda view, index: _memory(view, index, "used"),
        "memory.free": lambda view, index: _memory(view, index, "free"),
        "compute_cap": lambda view, index: "{}.{}".format(
            *view.nvml.nvmlDeviceGetCudaComputeCapability(view.handle(index))
        ),
        "mig.mode.current": lambda view, index: _mode(view, index, 0),
        "mig.mode.pending": lambda view, index: _mode(view, index, 1),
    }
)
"""Value of each field for a GPU index. Source of the names: `nvidia-smi --help-query-gpu`, driver 580."""
ALIASES = MappingProxyType({"gpu_name": "name", "gpu_uuid": "uuid", "gpu_bus_id": "pci.bus_id"})
FORMATS = frozenset({"csv", "noheader", "nounits"})


def gpus(view: View, fields: str, form: Sequence[str]) -> Answer:
    """Return one line for each GPU, below a header line unless `noheader` is set.

    Raises:
        UsageError: A field or a format is unknown.
    """
    options = [option for argument in form for option in argument.removeprefix("--format=").split(",")]
    if unknown := [option for option in options if option not in FORMATS]:
        raise UsageError(255, f"ERROR: Option {unknown[0]} is not recognized. Please run 'nvidia-smi -h'.")
    names = [ALIASES.get(name.strip(), name.strip()) for name in fields.split(",")]
    for name in names:
        if name not in FIELDS:
            raise UsageError(2, f'Field "{name}" is not a valid field to query.')
    lines = [] if "noheader" in options else [", ".join(map(_head, names))]
    for index, _ in view.gpus:
        values = [FIELDS[name](view, index) for name in names]
        lines.append(", ".join(value.removesuffix(" MiB") if "nounits" in options else value for value in values))
    return 0, "\n".join(lines) + "\n"


def _head(name: str) -> str:
    return f"{name} [MiB]" if name.startswith("memory.") else name


def _pci(view: View, index: int) -> Any:
    return view.nvml.nvmlDeviceGetPciInfo(view.handle(index))


def _memory(view: View, index: int, which: str) -> str:
    if not view.nvml.may_use(view.nvml.gpus()[index]):
        return NOT_PERMITTED
    return f"{getattr(view.nvml.nvmlDeviceGetMemoryInfo(view.handle(index)), which) >> 20} MiB"


def _mode(view: View, index: int, which: int) -> str:
    handle = view.handle(index)
    if not view.nvml.gpu_of(handle).mig_capable:
        return NOT_AVAILABLE
    return "Enabled" if view.nvml.nvmlDeviceGetMigMode(handle)[which] else "Disabled"
