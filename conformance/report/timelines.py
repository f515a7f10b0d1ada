"""Timelines and stays of the report, from what the watches saw."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from conformance.cluster.changes import Change, LabelChange, NodeChange, PodChange, ResourceChange
from conformance.report.model import CaseCell
from conformance.report.observations import Stay, TimelineEntry
from conformance.spec.names import DEPLOY_PREFIX, MIG_CONFIG, MIG_CONFIG_STATE, MIG_STRATEGY

_DRAWN = (MIG_CONFIG, MIG_CONFIG_STATE, MIG_STRATEGY)


def entries(changes: Iterable[Change]) -> tuple[TimelineEntry, ...]:
    """Return one entry for each change, in order."""
    return tuple(TimelineEntry(**change.as_dict(), values=_values(change)) for change in changes)


def stays(begun: Sequence[tuple[float, CaseCell]], end: float) -> tuple[Stay, ...]:
    """Return the stays of a node: each ends where the next one begins, and neighbours in the same cell are one.

    Args:
        begun: When the node was asked to go to a cell, and to which; in order of time.
        end: When the last stay ended.
    """
    distinct = [it for before, it in zip([None, *begun], begun, strict=False) if before is None or before[1] != it[1]]
    starts = [time for time, _ in distinct]
    return tuple(
        Stay(start=round(start, 3), end=round(max(start, until), 3), **cell.model_dump())
        for (start, cell), until in zip(distinct, [*starts[1:], end], strict=False)
    )


def _values(change: Change) -> dict[str, str | int | None]:
    match change:
        case LabelChange():
            names = [*change.set, *change.removed]
            return {name: change.after.get(name) for name in names if name in _DRAWN or name.startswith(DEPLOY_PREFIX)}
        case ResourceChange():
            return {change.subject: change.after}
        case PodChange():
            return {change.app or change.name: change.event.value}
        case NodeChange():
            return {change.field: change.after}
        case _:
            return {}
