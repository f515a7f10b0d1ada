"""Whether MIG devices fit on a GPU: a search over legal placements that shares nothing with the simulator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from conformance.spec.gpu_model import GpuModel, ProfileRow


def fits(model: GpuModel, counts: Mapping[str, int]) -> bool:
    """Tell whether so many instances of each profile can lie on an empty GPU at the same time.

    Raises:
        KeyError: The model does not offer a profile.
    """
    rows = [model.row(name) for name, count in counts.items() for _ in range(count)]
    slices = sum(row.slices for row in rows)
    within = all(count <= model.row(name).max_instances for name, count in counts.items())
    return within and slices <= model.compute_slices and _placed(rows, frozenset())


def _placed(rows: Sequence[ProfileRow], taken: frozenset[int]) -> bool:
    """CheckContext the first instance wherever it is free, and the others around it."""
    if not rows:
        return True
    row, *others = rows
    places = (frozenset(range(start, start + row.placements.size)) for start in row.placements.starts)
    return any(_placed(others, taken | place) for place in places if not place & taken)
