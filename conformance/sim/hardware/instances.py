"""GPU instances and their compute instances, with the ids and UUIDs that the driver assigns."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from conformance.spec.models import GpuModel, ProfileRow


@dataclass(frozen=True)
class ComputeInstance:
    """Some of the compute slices of one GPU instance: the MIG device that programs use.

    Attributes:
        id: Unique in the GPU instance, from 0 to its number of slices - 1.
        slices: Number of compute slices.
        uuid: `MIG-` and a UUID. It depends only on the GPU and both instance ids, so that a recreated device has the
            same UUID (docs/reference/nvidia-smi.md#uuids).
    """

    id: int
    slices: int
    uuid: str


@dataclass(eq=False)
class GpuInstance:
    """A part of a GPU: memory, compute slices and engines.

    Attributes:
        id: Unique on the GPU; determined by the placement, see `instance_id`.
        row: The profile it was created from.
        start: First unit of the memory axis.
        size: Number of units.
        compute_instances: Compute instances by id; empty after creation.
    """

    id: int
    row: ProfileRow
    start: int
    size: int
    compute_instances: list[ComputeInstance] = field(default_factory=list)

    @classmethod
    def at(cls, model: GpuModel, row: ProfileRow, start: int) -> GpuInstance:
        """Return a new, empty instance of `row` at `start`."""
        size = row.placements.size
        return cls(instance_id(model.memory_units, start, size), row, start, size)

    @property
    def units(self) -> range:
        """The units of the memory axis that it occupies."""
        return range(self.start, self.start + self.size)


def instance_id(memory_units: int, start: int, size: int) -> int:
    """Return the id of an instance of `size` units from `start` on an axis of `memory_units`.

    Halves, quarters and eighths of the axis are numbered like the nodes of a binary tree, the whole GPU being 0, and
    the upper half comes first: on eight units 3g at 4 is 1 and at 0 is 2, 1g at 4 to 6 is 7 to 9 and at 0 to 3 is 11
    to 14.
    Source: `nvidia-smi mig -lgi` of an A100 (3g 1, 2g at 2 is 6, 1g at 0 and 1 is 11 and 12); tests/recordings.
    """
    parts = memory_units // size
    return parts - 1 + (start + memory_units // 2) % memory_units // size


def mig_uuid(gpu_uuid: str, gpu_instance: int, compute_instance: int) -> str:
    """Return the UUID of a MIG device, which is always the same; version 5 as with real drivers."""
    namespace = uuid.UUID(gpu_uuid.removeprefix("GPU-"))
    return f"MIG-{uuid.uuid5(namespace, f'{gpu_instance}/{compute_instance}')}"
