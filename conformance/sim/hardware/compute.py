"""Which compute instances a GPU instance can be cut into.

The numbers follow one rule on all parts: an instance of g slices offers itself whole and every smaller size c of 1 to 4
with 2c <= g + 1, as often as it fits. Source: docs/reference/nvidia-smi.md#compute-instances.
"""

from __future__ import annotations

from conformance.sim.hardware.instances import GpuInstance
from conformance.spec.models import GpuModel, ProfileRow

SIZES = {0: 1, 1: 2, 2: 3, 3: 4, 4: 7, 5: 8, 6: 6}
"""NVML_COMPUTE_INSTANCE_PROFILE_<n>_SLICE to slices; the driver's profile ids are the same numbers. Source: nvml.h."""


def offered(instance: GpuInstance, profile: int) -> int | None:
    """Slices of compute profile `profile` (index and id), None if `instance` does not offer it."""
    slices, whole = SIZES.get(profile), instance.row.slices
    if slices is None:
        return None
    return slices if slices == whole or (slices <= 4 and 2 * slices <= whole + 1) else None


def capacity(row: ProfileRow, slices: int) -> int:
    """How many compute instances of `slices` a GPU instance of that profile holds when it is empty."""
    return row.slices // slices


def free_slices(instance: GpuInstance) -> int:
    """Compute slices that no compute instance owns."""
    return instance.row.slices - sum(compute.slices for compute in instance.compute_instances)


def multiprocessors(model: GpuModel, instance: GpuInstance, slices: int) -> int:
    """SMs of a compute instance: all of the GPU instance's for a whole one, else as many 1g instances would have.

    Source: tests/recordings/data/feature-labels.json.gz, cases compute-instances-* (1c.3g of an H100 has 16 SMs of 60).
    """
    if slices == instance.row.slices:
        return instance.row.multiprocessors
    slice_row = min(model.profiles, key=lambda row: (row.slices, row.multiprocessors))
    return slices * slice_row.multiprocessors
