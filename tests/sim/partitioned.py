"""Nodes in a given geometry, for tests of what reads GPUs."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.sim.faults import Faults
from conformance.sim.hardware import Gpu, NodeHardware
from conformance.spec.profile import Profile

COMPUTE_PROFILES = {1: 0, 2: 1, 3: 2, 4: 3, 7: 4}
"""NVML's index of a compute-instance profile by slices."""

MIG_OFF = None


def partitioned(*gpus: Sequence[str] | None, board: str = "h100-80gb-hbm3", faults: Sequence[str] = ()) -> NodeHardware:
    """Build a node with one GPU per argument: the profiles on it, largest first, or `MIG_OFF`."""
    return partition([(board, profiles) for profiles in gpus], faults)


def partition(gpus: Sequence[tuple[str, Sequence[str] | None]], faults: Sequence[str] = ()) -> NodeHardware:
    """Build a node whose GPUs may be of several boards."""
    hardware = NodeHardware([board for board, _ in gpus], faults=Faults(faults))
    for gpu, (_, profiles) in zip(hardware.gpus, gpus, strict=True):
        if profiles is not MIG_OFF:
            cut(gpu, profiles)
    return hardware


def cut(gpu: Gpu, profiles: Sequence[str]) -> None:
    """Replace all instances of a GPU; a profile like `1c.3g.40gb` fills its GPU instance with such devices."""
    for instance in gpu.instances:
        for compute in list(instance.compute_instances):
            gpu.destroy_compute_instance(instance, compute.id)
        gpu.destroy_instance(instance)
    gpu.mode_current = gpu.mode_pending = True
    for profile in map(Profile.parse, profiles):
        full = Profile(profile.gpu_slices, profile.gpu_slices, profile.memory_gb, profile.plus, profile.minus)
        instance = gpu.create_instance(gpu.model.row(str(full)))
        for _ in range(profile.gpu_slices // profile.compute_slices):
            gpu.create_compute_instance(instance, COMPUTE_PROFILES[profile.compute_slices])
