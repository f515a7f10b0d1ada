"""Command line of nvidia-smi: which output was asked for, and what stands in its way."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import pynvml

from conformance.sim.hardware import ErrorCode, Gpu, NodeHardware
from conformance.sim.nvidia_smi import listing, mig, query, reset, summary
from conformance.sim.nvidia_smi.answer import Answer, View
from conformance.sim.nvml import Nvml

INVALID_ARGUMENT = 2
"""Exit code for arguments that nvidia-smi does not know (its manual page, "Return value")."""


def run(
    args: Sequence[str],
    hardware: NodeHardware,
    visible: frozenset[str] | None = None,
    *,
    now: datetime | None = None,
) -> tuple[int, str]:
    """Run nvidia-smi with `args` (without the program's name) and return exit code and output.

    Understood are `-L`, `mig` with `-lgip`, `-lgipp` or `-lgi`, `--query-gpu`, `-r` and no argument at all, all but
    `--query-gpu` with `-i`.

    Args:
        args: The arguments.
        hardware: The node's GPUs.
        visible: UUIDs that a container may use, see `Nvml`; None for the whole node.
        now: The time that the table shows; None for the real one.
    """
    nvml = Nvml(hardware, visible)
    try:
        nvml.nvmlInit()
    except pynvml.NVMLError as failed:
        return _no_driver(failed)
    options = _options(args)
    if options is None:
        return INVALID_ARGUMENT, "Invalid combination of input arguments. Please run 'nvidia-smi -h' for help.\n\n"
    what, where = options
    gpus = nvml.gpus()
    if not gpus:
        return int(ErrorCode.NOT_FOUND), "No devices were found\n"
    view = View(nvml, [(index, gpu) for index, gpu in enumerate(gpus) if where is None or _names(where, index, gpu)])
    if not view.gpus:
        return int(ErrorCode.NOT_FOUND), "No devices were found\n"
    return _answer(what, view, now or datetime.now(UTC))


def _answer(what: Sequence[str], view: View, now: datetime) -> Answer:
    match what:
        case []:
            return summary.table(view, now)
        case ["-L" | "--list-gpus"]:
            return listing.gpus(view)
        case ["-r" | "--gpu-reset"]:
            return reset.reset(view)
        case ["mig", "-lgip" | "--list-gpu-instance-profiles"]:
            return mig.profiles(view)
        case ["mig", "-lgipp" | "--list-gpu-instance-possible-placements"]:
            return mig.placements(view)
        case ["mig", "-lgi" | "--list-gpu-instances"]:
            return mig.instances(view)
        case [question, *form] if question.startswith("--query-gpu="):
            return query.gpus(view, question.partition("=")[2], form)
    return INVALID_ARGUMENT, "Invalid combination of input arguments. Please run 'nvidia-smi -h' for help.\n\n"


def _options(args: Sequence[str]) -> tuple[list[str], frozenset[str] | None] | None:
    """Split off `-i`; None where its value is missing."""
    rest, where = list(args), None
    for option in ("-i", "--id"):
        if option in rest:
            at = rest.index(option)
            if at + 1 == len(rest):
                return None
            where = frozenset(rest[at + 1].split(","))
            del rest[at : at + 2]
    return rest, where


def _names(where: frozenset[str], index: int, gpu: Gpu) -> bool:
    """Whether one of the names is that of the GPU: index, UUID, or PCI bus id with a short or a long domain."""
    bus_id = gpu.pci_bus_id
    return not where.isdisjoint({str(index), gpu.uuid, bus_id, bus_id[4:], bus_id.lower(), bus_id[4:].lower()})


def _no_driver(failed: pynvml.NVMLError) -> Answer:
    if failed.value == pynvml.NVML_ERROR_DRIVER_NOT_LOADED:
        return failed.value, (
            "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver."
            " Make sure that the latest NVIDIA driver is installed and running.\n\n"
        )
    return failed.value, f"Failed to initialize NVML: {failed}\n"
