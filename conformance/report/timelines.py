"""Timelines and stays of the report, from what the watches saw."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from conformance.cluster.changes import Change, LabelChange, NodeChange, PodChange, PodEvent, ResourceChange
from conformance.cluster.pod_view import PodView
from conformance.cluster.views import NodeView
from conformance.report.model import CaseCell
from conformance.report.observations import Stay, TimelineEntry
from conformance.spec.names import DEPLOY_PREFIX, MIG_CONFIG, MIG_CONFIG_STATE, MIG_STRATEGY

_DRAWN = (MIG_CONFIG, MIG_CONFIG_STATE, MIG_STRATEGY)


_AS_FOUND = "as found"


def as_found(time: float, node: NodeView, operands: Iterable[PodView]) -> Iterator[TimelineEntry]:
    """Yield what there was on a node before its first change, so that a timeline does not begin with empty lanes.

    Args:
        time: When the views were taken, in seconds as in `TimelineEntry.time`.
        node: The node.
        operands: The operator's pods on it.
    """

    def entry(kind: str, subject: str, values: Mapping[str, str | int | None]) -> TimelineEntry:
        return TimelineEntry(time=round(time, 3), kind=kind, subject=subject, change=_AS_FOUND, values=dict(values))

    if labels := {name: value for name, value in node.labels.items() if _is_drawn(name)}:
        yield entry("labels", ", ".join(labels), labels)
    for field, counts in (("allocatable", node.allocatable), ("capacity", node.capacity)):
        for resource, count in counts.items():
            yield entry("resource", f"{field} {resource}", {f"{field} {resource}": count})
    for field, value in (("ready", node.ready), ("unschedulable", node.unschedulable)):
        yield entry("node", field, {field: str(value)})
    for pod in operands:
        yield entry("pod", f"{pod.namespace}/{pod.name}", {pod.app or pod.name: _step(pod).value})


def _step(pod: PodView) -> PodEvent:
    """Return the last step in the life of a pod."""
    reached = {PodEvent.TERMINATING: pod.terminating, PodEvent.ENDED: pod.ended, PodEvent.READY: pod.ready}
    return next((step for step, happened in reached.items() if happened), PodEvent.APPEARED)


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
            return {name: change.after.get(name) for name in names if _is_drawn(name)}
        case ResourceChange():
            return {change.subject: change.after}
        case PodChange():
            return {change.app or change.name: change.event.value}
        case NodeChange():
            return {change.field: change.after}
        case _:
            return {}


def _is_drawn(label: str) -> bool:
    return label in _DRAWN or label.startswith(DEPLOY_PREFIX)
