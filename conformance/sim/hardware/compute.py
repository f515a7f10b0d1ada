"""The compute instances that a GPU instance can contain.

One rule covers all models: an instance of g slices offers one compute instance of g slices, and every smaller size c
from 1 to 4 with 2c <= g + 1 as often as it fits. Source: docs/reference/nvidia-smi.md#compute-instances.
"""

from __future__ import annotations

from conformance.sim.hardware.instances import GpuInstance
from conformance.spec.models import GpuModel, ProfileRow

SIZES = {0: 1, 1: 2, 2: 3, 3: 4, 4: 7, 5: 8, 6: 6}
"""NVML_COMPUTE_INSTANCE_PROFILE_<n>_SLICE to slices; the driver's profile ids are the same numbers. Source: nvml.h."""


def offered(instance: GpuInstance, profile: int) -> int | None:
    """Return the slices of the compute profile `profile` (index and id); None if `instance` does not offer it."""
    slices, whole = SIZES.get(profile), instance.row.slices
    if slices is None:
        return None
    return slices if slices == whole or (slices <= 4 and 2 * slices <= whole + 1) else None


def capacity(row: ProfileRow, slices: int) -> int:
    """Return how many compute instances of `slices` an empty GPU instance of this profile can hold."""
    return row.slices // slices


def free_slices(instance: GpuInstance) -> int:
    """Return the number of compute slices that no compute instance owns."""
    return instance.row.slices - sum(compute.slices for compute in instance.compute_instances)


def multiprocessors(model: GpuModel, instance: GpuInstance, slices: int) -> int:
    """Return the SMs of a compute instance: all SMs of the GPU instance, or for a part, those of as many 1g instances.

    One slice has the SMs of a plain 1g also where it is the only one: the compute profile 1_SLICE leaves some SMs of a
    1g instance with double memory unused.
    Sources: tests/recordings/data/feature-labels.json.gz, cases compute-instances-* (1c.3g of an H100 has 16 SMs of
    60); labels of an H100 NVL, tests/field_reports/data/h100nvl-labels.json (1g.24gb has 16 SMs of 26).
    """
    if slices == instance.row.slices > 1:
        return instance.row.multiprocessors
    slice_row = min(model.profiles, key=lambda row: (row.slices, row.multiprocessors))
    return slices * slice_row.multiprocessors
