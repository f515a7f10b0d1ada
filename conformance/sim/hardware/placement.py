"""The placement of GPU instances on the memory axis of a GPU.

Only the driver decides what fits: mig-parted has no table of its own and relies on the driver's errors. The placement
rule (highest free start) is the one that tests/recordings show in `mig_after`. Real drivers place the first
instance of a profile in the same way, but not always the later ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from conformance.sim.hardware.instances import GpuInstance
from conformance.spec.models import Engines, GpuModel, ProfileRow

MEDIA_ENGINES: tuple[Callable[[Engines], int], ...] = (
    lambda engines: engines.decoder,
    lambda engines: engines.encoder,
    lambda engines: engines.jpeg,
    lambda engines: engines.ofa,
)


def free_starts(row: ProfileRow, taken: Iterable[GpuInstance]) -> tuple[int, ...]:
    """Return the starts at which an instance of `row` overlaps none of `taken`, in ascending order."""
    used = {unit for instance in taken for unit in instance.units}
    size = row.placements.size
    return tuple(start for start in sorted(row.placements.starts) if used.isdisjoint(range(start, start + size)))


def may_add(model: GpuModel, row: ProfileRow, taken: Sequence[GpuInstance]) -> bool:
    """Return whether counts and media engines permit one more instance of `row`, regardless of the memory axis.

    A GPU has one OFA, so at most one instance with media extensions; `+me.all` takes all media engines.
    Source: MIG User Guide, profiles with media extensions.
    """
    if sum(instance.row is row for instance in taken) >= row.max_instances:
        return False
    engines = [instance.row.engines for instance in taken] + [row.engines]
    return all(sum(map(count, engines)) <= _engines_of_gpu(model, count) for count in MEDIA_ENGINES)


def remaining(model: GpuModel, row: ProfileRow, taken: Sequence[GpuInstance]) -> int:
    """Return how many more instances of `row` can be created, 0 to `row.max_instances`."""
    added = list(taken)
    while may_add(model, row, added) and (starts := free_starts(row, added)):
        added.append(GpuInstance.at(model, row, starts[-1]))
    return len(added) - len(taken)


def _engines_of_gpu(model: GpuModel, count: Callable[[Engines], int]) -> int:
    """Return the number of engines of one kind on the whole GPU: the maximum that a uniform geometry uses."""
    return max(count(row.engines) * row.max_instances for row in model.profiles)
