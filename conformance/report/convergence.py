"""Convergence times of a run: how long each kind of change took, by GPU model."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from statistics import median
from typing import Final

from conformance.report.observations import ChangeKind, Convergence

_ORDER: Final[tuple[ChangeKind, ...]] = (
    "label-to-success",
    "success-to-allocatable",
    "success-to-labels",
    "pod-to-running",
)


def summarised(measured: Iterable[tuple[str, ChangeKind, float]], models: Mapping[str, str]) -> tuple[Convergence, ...]:
    """Summarise measurements by GPU model and kind of change.

    Args:
        measured: Node, kind of change, and seconds of the cluster's clock.
        models: GPU model by node.
    """
    found: defaultdict[tuple[str, ChangeKind], list[float]] = defaultdict(list)
    for node, kind, seconds in measured:
        found[models.get(node, "unknown"), kind].append(seconds)
    return tuple(
        Convergence(
            gpu_model=model,
            change=kind,
            n=len(times),
            minimum=round(min(times), 3),
            median=round(median(times), 3),
            maximum=round(max(times), 3),
        )
        for (model, kind), times in sorted(found.items(), key=lambda item: (item[0][0], _ORDER.index(item[0][1])))
    )
