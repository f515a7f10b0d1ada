"""`nvidia-smi -mig`, and `nvidia-smi mig` with `-cgi`, `-cci`, `-dci`, `-dgi`: changes that people make by hand.

Sources: NVIDIA MIG User Guide r580, "Getting started with MIG"; docs/reference/nvidia-smi.md#changes for what is not
printed there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TypeVar

from conformance.sim.hardware import DriverError, ErrorCode, Gpu, GpuInstance
from conformance.sim.hardware.compute import SIZES, offered
from conformance.sim.nvidia_smi.answer import Answer, UsageError, View
from conformance.sim.nvidia_smi.mig import NO_MIG_ENABLED
from conformance.spec.models import ProfileRow

_Made = TypeVar("_Made")

MESSAGES = {
    ErrorCode.INSUFFICIENT_RESOURCES: "Insufficient Resources",
    ErrorCode.IN_USE: "In use by another client",
    ErrorCode.NOT_FOUND: "Not Found",
    ErrorCode.INVALID_ARGUMENT: "Invalid Argument",
    ErrorCode.NOT_SUPPORTED: "Not Supported",
}
_NO_PERMISSION = "Insufficient Permissions\n"
_BUSY = (
    "{bus} is currently being used by one or more other processes (e.g. CUDA application or a monitoring application"
    " such as another instance of nvidia-smi). Please first kill all processes using the device and retry the command"
    " or reboot the system to make MIG mode effective.\n"
)


def set_mode(view: View, text: str) -> Answer:
    """`-mig 0|1`: switch MIG mode off or on; where that has to wait, it stays pending and the command succeeds."""
    if text not in ("0", "1", "DISABLED", "ENABLED"):
        raise UsageError(2, f"ERROR: Invalid value {text} for option -mig. Please run 'nvidia-smi -h' for help.")
    if view.nvml.visible is not None:
        return int(ErrorCode.NO_PERMISSION), _NO_PERMISSION
    wanted = text in ("1", "ENABLED")
    said = "".join(_mode_of(view, gpu, wanted=wanted) for _, gpu in view.gpus)
    return 0, f"{said}All done.\n"


def create(view: View, names: str, *, with_compute: bool) -> Answer:
    """`-cgi`: create GPU instances by profile, and with `-C` a compute instance in each."""

    def made(index: int, gpu: Gpu) -> Iterator[str]:
        for name in names.split(","):
            row = _row(gpu, name.strip())
            what = f"create a GPU instance on GPU {index:>2} using profile {row.gi_profile_id}"
            instance = _tried(what, partial(gpu.create_instance, row))
            profile = f"MIG {row.name} (ID {row.gi_profile_id:>2})"
            yield f"Successfully created GPU instance ID {instance.id:>2} on GPU {index:>2} using profile {profile}\n"
            if with_compute:
                yield _compute_made(index, gpu, instance, _whole(instance))

    return _changed(view, "create GPU instances", made)


def create_compute(view: View, ids: str, chosen: Sequence[int]) -> Answer:
    """`-cci`: create compute instances by profile id, in those of `-gi` or in all GPU instances; empty: whole ones."""

    def made(index: int, gpu: Gpu) -> Iterator[str]:
        for instance in _instances(gpu, chosen):
            for text in ids.split(",") if ids else (str(_whole(instance)),):
                if not text.strip().isdigit():
                    raise UsageError(2, f"ERROR: Invalid compute instance profile {text}.")
                yield _compute_made(index, gpu, instance, int(text))

    return _changed(view, "create compute instances", made)


def destroy_compute(view: View, chosen: Sequence[int], compute: Sequence[int]) -> Answer:
    """`-dci`: destroy the compute instances of `-ci`, or all, of the GPU instances of `-gi`, or of all."""

    def gone(index: int, gpu: Gpu) -> Iterator[str]:
        for instance in _instances(gpu, chosen):
            for number in [one.id for one in instance.compute_instances if not compute or one.id in compute]:
                what = f"compute instance ID {number:>2} from GPU {index:>2} GPU instance ID {instance.id:>2}"
                _tried(f"destroy {what}", partial(gpu.destroy_compute_instance, instance, number))
                yield f"Successfully destroyed {what}\n"

    return _changed(view, "destroy compute instances", gone)


def destroy(view: View, chosen: Sequence[int]) -> Answer:
    """`-dgi`: destroy the GPU instances of `-gi`, or all; one with compute instances is in use."""

    def gone(index: int, gpu: Gpu) -> Iterator[str]:
        for instance in _instances(gpu, chosen):
            what = f"GPU instance ID {instance.id:>2} from GPU {index:>2}"
            _tried(f"destroy {what}", partial(gpu.destroy_instance, instance))
            yield f"Successfully destroyed {what}\n"

    return _changed(view, "destroy GPU instances", gone)


class _RefusedError(Exception):
    """The driver refused a step; the text says which, `code` is that of NVML."""

    def __init__(self, message: str, code: ErrorCode) -> None:
        super().__init__(message)
        self.code = code


def _changed(view: View, what: str, step: Callable[[int, Gpu], Iterator[str]]) -> Answer:
    """Do the steps on every GPU in MIG mode until one is refused; those before it stay done."""
    if not view.mig_enabled:
        return 0, NO_MIG_ENABLED
    if view.nvml.visible is not None:
        return int(ErrorCode.NO_PERMISSION), _NO_PERMISSION
    said: list[str] = []
    try:
        for index, gpu in view.mig_enabled:
            said.extend(step(index, gpu))
    except _RefusedError as refused:
        said.append(f"{refused}\nFailed to {what}: {MESSAGES[refused.code]}\n")
        return int(refused.code), "".join(said)
    return 0, "".join(said)


def _tried(what: str, work: Callable[[], _Made]) -> _Made:
    try:
        return work()
    except DriverError as error:
        raise _RefusedError(f"Unable to {what}: {MESSAGES[error.code]}", error.code) from error


def _compute_made(index: int, gpu: Gpu, instance: GpuInstance, profile: int) -> str:
    where = f"GPU {index:>2} GPU instance ID {instance.id:>2}"
    what = f"create a compute instance on {where} using profile {profile}"
    created = _tried(what, partial(gpu.create_compute_instance, instance, profile))
    part = "" if created.slices == instance.row.slices else f"{created.slices}c."
    name = f"MIG {part}{instance.row.name} (ID {profile:>2})"
    return f"Successfully created compute instance ID {created.id:>2} on {where} using profile {name}\n"


def _instances(gpu: Gpu, chosen: Sequence[int]) -> list[GpuInstance]:
    found = [instance for instance in gpu.instances if not chosen or instance.id in chosen]
    if not found:
        raise _RefusedError("No GPU instances found: Not Found", ErrorCode.NOT_FOUND)
    return found


def _row(gpu: Gpu, name: str) -> ProfileRow:
    for row in gpu.model.profiles:
        if name in (str(row.gi_profile_id), row.name):
            return row
    raise _RefusedError(f"Invalid GPU instance profile {name}", ErrorCode.INVALID_ARGUMENT)


def _whole(instance: GpuInstance) -> int:
    """Profile id of the compute instance that takes the whole GPU instance."""
    return next(profile for profile in SIZES if offered(instance, profile) == instance.row.slices)


def _mode_of(view: View, gpu: Gpu, *, wanted: bool) -> str:
    word, done = ("enable", "Enabled") if wanted else ("disable", "Disabled")
    try:
        effective = view.nvml.hardware.set_mode(gpu, wanted)
    except DriverError:
        warning = f"Unable to {word} MIG Mode for GPU {gpu.pci_bus_id}: Not Supported\n"
        return f"{warning}Treating as warning and moving on.\n"
    if effective:
        return f"{done} MIG Mode for GPU {gpu.pci_bus_id}\n"
    warning = f"Warning: MIG mode is in pending {word} state for GPU {gpu.pci_bus_id}:In use by another client\n"
    return warning + _BUSY.format(bus=gpu.pci_bus_id)
