"""`nvidia-mig-parted assert`: whether the GPUs are as the selected configuration wants them.

Source: NVIDIA/mig-parted v0.15.0, cmd/nvidia-mig-parted/assert/mode.go and config.go.
"""

from __future__ import annotations

from collections.abc import Sequence

from conformance.sim.mig_parted.gpus import MigGpu
from conformance.sim.mig_parted.matching import walk
from conformance.sim.mig_parted.output import MigPartedError
from conformance.spec.mig_parted import Entry


def assert_modes(entries: Sequence[Entry], gpus: Sequence[MigGpu]) -> None:
    """Every GPU that an entry applies to must have the wanted mode now; a pending mode is not looked at.

    Raises:
        MigPartedError: One has not, or cannot have it.
    """
    for entry, gpu in walk(entries, gpus):
        if not gpu.capable:
            if entry.enabled:
                raise MigPartedError("unable to assert MIG mode enabled on non MIG-capable GPU")
        elif gpu.enabled != entry.enabled:
            raise MigPartedError("current mode different than mode being asserted")


def assert_geometry(entries: Sequence[Entry], gpus: Sequence[MigGpu]) -> None:
    """Every GPU of the node must be covered by an entry and carry exactly its MIG devices.

    Raises:
        MigPartedError: One is not, or does not.
    """
    matched = [False] * len(gpus)
    for entry, gpu in walk(entries, gpus):
        matched[gpu.index] = _carries(entry, gpu)
    if not all(matched):
        raise MigPartedError("not all GPUs match the specified config")


def _carries(entry: Entry, gpu: MigGpu) -> bool:
    """Compare names and counts as written: neither a count of 0 nor another spelling of a profile ever matches."""
    if not entry.enabled and not gpu.enabled:
        return True
    return dict(gpu.geometry()) == dict(entry.mig_devices)
