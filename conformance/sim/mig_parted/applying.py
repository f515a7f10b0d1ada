"""`nvidia-mig-parted apply`: first MIG modes, then MIG devices.

Source: NVIDIA/mig-parted v0.15.0, cmd/nvidia-mig-parted/apply/apply.go, mode.go and config.go.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import pynvml

from conformance.sim.mig_parted.geometry import realise
from conformance.sim.mig_parted.gpus import MigGpu, error_name
from conformance.sim.mig_parted.matching import assert_geometry, assert_modes, walk
from conformance.sim.mig_parted.output import MigPartedError, Output
from conformance.spec.mig_parted import Entry

Smi = Callable[[Sequence[str]], tuple[int, str]]
"""Runs nvidia-smi with these arguments; returns exit code and output."""


def apply_modes(entries: Sequence[Entry], gpus: Sequence[MigGpu], smi: Smi, output: Output) -> None:
    """Set the mode of every GPU that an entry applies to, unless all have it.

    If one GPU has the wrong mode, the instances of all these GPUs are destroyed; if one change is pending, all GPUs of
    the node are reset.

    Raises:
        MigPartedError: An instance or a GPU is in use. GPUs before it stay changed, and a mode whose reset failed stays
            pending.
    """
    if _holds(assert_modes, entries, gpus):
        return
    for entry, gpu in _capable(walk(entries, gpus), "MIG mode"):
        if gpu.enabled:
            _clear(gpu, output)
        _set_mode(gpu, entry.enabled)
    if any(gpu.pending for _, gpu in walk(entries, gpus)):
        _reset(smi, output)


def apply_geometry(entries: Sequence[Entry], gpus: Sequence[MigGpu], output: Output) -> None:
    """Create the MIG devices of every GPU that an entry applies to; GPUs that already have them are left alone.

    Raises:
        MigPartedError: A GPU cannot be changed. GPUs before it are changed, GPUs after it are not.
    """
    if _holds(assert_geometry, entries, gpus):
        return
    for entry, gpu in _capable(walk(entries, gpus), "MIG config"):
        if entry.enabled and not gpu.enabled:
            raise MigPartedError("unable to apply MIG config with MIG mode disabled")
        if gpu.enabled and not entry.enabled:
            raise MigPartedError("MIG mode is currently enabled, but the configuration specifies it should be disabled")
        if entry.enabled:
            _set_geometry(entry, gpu, gpus, output)


def _holds(
    check: Callable[[Sequence[Entry], Sequence[MigGpu]], None], entries: Sequence[Entry], gpus: Sequence[MigGpu]
) -> bool:
    try:
        check(entries, gpus)
    except MigPartedError:
        return False
    return True


def _capable(pairs: Iterator[tuple[Entry, MigGpu]], what: str) -> Iterator[tuple[Entry, MigGpu]]:
    """Leave out GPUs without MIG if the entry allows that: with `devices: all` or MIG disabled."""
    for entry, gpu in pairs:
        if gpu.capable:
            yield entry, gpu
        elif entry.enabled and entry.devices is not None:
            raise MigPartedError(f"cannot set {what} on non MIG-capable GPU")


def _clear(gpu: MigGpu, output: Output) -> None:
    output.log("debug", "    Clearing existing MIG configuration")
    try:
        gpu.clear()
    except MigPartedError as error:
        raise MigPartedError(f"error clearing existing MIG configurations: {error}") from None


def _set_mode(gpu: MigGpu, enabled: bool) -> None:
    try:
        gpu.nvml.nvmlDeviceSetMigMode(gpu.handle, int(enabled))
    except pynvml.NVMLError as error:
        raise MigPartedError(f"error setting MIG mode: {error_name(error)}") from None


def _reset(smi: Smi, output: Output) -> None:
    code, text = smi(["-r"])
    if code != 0:
        output.log("error", "\n" + text.lstrip("\n"))
        raise MigPartedError(f"error resetting all GPUs: exit status {code}")


def _set_geometry(entry: Entry, gpu: MigGpu, gpus: Sequence[MigGpu], output: Output) -> None:
    listed = " ".join(f"{name}:{count}" for name, count in sorted(entry.mig_devices.items()))
    output.log("debug", f"    Updating MIG config: map[{listed}]")
    remakes = gpu.nvml.hardware.faults.on("mig-parted-remakes-every-gpu")
    if dict(gpu.geometry()) == dict(entry.mig_devices) and not remakes:
        return
    try:
        realise(entry.mig_devices, gpu, gpus, output)
    except MigPartedError as error:
        raise MigPartedError(f"error setting MIGConfig: {error}") from None
