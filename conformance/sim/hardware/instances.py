"""GPU instances and the compute instances inside them, with the numbers and UUIDs the driver gives them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field

from conformance.spec.models import GpuModel, ProfileRow


@dataclass(frozen=True)
class ComputeInstance:
    """A share of the compute slices of one GPU instance; the MIG device that programs use.

    Attributes:
        id: 0 to slices of the GPU instance - 1, unique inside it.
        slices: Compute slices it owns.
        uuid: `MIG-` and a UUID that depends on the GPU and both instance ids alone, so the same device comes back
            under the same UUID (docs/reference/nvidia-smi.md#uuids).
    """

    id: int
    slices: int
    uuid: str


@dataclass(eq=False)
class GpuInstance:
    """A slice of a GPU's memory with its own engines.

    Attributes:
        id: Unique on the GPU; follows from the placement, see `instance_id`.
        row: The profile it was created from.
        start: First unit on the memory axis.
        size: Units on the memory axis.
        compute_instances: In rising id; empty right after creation.
    """

    id: int
    row: ProfileRow
    start: int
    size: int
    compute_instances: list[ComputeInstance] = field(default_factory=list)

    @classmethod
    def at(cls, model: GpuModel, row: ProfileRow, start: int) -> GpuInstance:
        """A new, empty instance of `row` at `start`."""
        size = row.placements.size
        return cls(instance_id(model.memory_units, start, size), row, start, size)

    @property
    def units(self) -> range:
        """The units of the memory axis that it takes."""
        return range(self.start, self.start + self.size)


def instance_id(memory_units: int, start: int, size: int) -> int:
    """The id of the instance that takes `size` units from `start` of an axis of `memory_units`.

    Halves, quarters and eighths of the axis are numbered like the nodes of a binary tree, the whole GPU being 0, and
    the upper half comes first: on eight units 3g at 4 is 1 and at 0 is 2, 1g at 4 to 6 is 7 to 9 and at 0 to 3 is 11
    to 14.
    Source: `nvidia-smi mig -lgi` of an A100 (3g 1, 2g at 2 is 6, 1g at 0 and 1 is 11 and 12); tests/recordings.
    """
    parts = memory_units // size
    return parts - 1 + (start + memory_units // 2) % memory_units // size


def mig_uuid(gpu_uuid: str, gpu_instance: int, compute_instance: int) -> str:
    """UUID of a MIG device on a GPU, the same each time; version 5 like those that real drivers print."""
    namespace = uuid.UUID(gpu_uuid.removeprefix("GPU-"))
    return f"MIG-{uuid.uuid5(namespace, f'{gpu_instance}/{compute_instance}')}"
