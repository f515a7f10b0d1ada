"""What the changes of one node do beside it: to other nodes, and to pods on the node that are no operands.

Anybody may delete a pod or write a label at any time, so one such act says nothing. What happens in every change of the
node does: see docs/decisions/0009-who-deleted-a-pod.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from conformance.cluster.changes import Change, LabelChange, NodeChange, PodChange, PodEvent
from conformance.expect.labels import is_gfd_label
from conformance.operations.mig_cluster import MigCluster
from conformance.spec.names import MIG_CONFIG, MIG_MANAGER_APP, PAUSED, State

_DELETED: Final = (PodEvent.TERMINATING, PodEvent.GONE)
_RESTARTED: Final = (*_DELETED, PodEvent.RESTARTED)
_AWAY: Final = ("present", "ready", "boot_id")


@dataclass(frozen=True)
class _Span:
    """A change of the geometry: from the request, which is a position in the timeline, to the next one."""

    begin: int
    end: int | None


def side_effects(
    cluster: MigCluster, node: str, others: Collection[str], end: int | None
) -> tuple[frozenset[str], ...]:
    """Return what happened beside a node in each change of its geometry that succeeded, in order.

    A change counts if the node stayed Ready and mig-manager was not restarted meanwhile, as steps may be missing then.
    Pods count if they belong to DaemonSets, were not evicted, and were not deleted by the suite.

    Args:
        cluster: The cluster.
        node: Name of the node.
        others: Names of nodes that nobody asked for anything.
        end: Mark of the timeline up to which changes count; None for now.
    """
    spans = _spans(cluster.timeline.between(0, end, node=node), end)
    whole = (span for span in spans if _is_whole(cluster, node, span))
    return tuple(frozenset(_effects(cluster, node, others, span)) for span in whole)


def _spans(history: Sequence[Change], end: int | None) -> list[_Span]:
    labels = [change for change in history if isinstance(change, LabelChange)]
    asked = [at for at, one in enumerate(labels) if one.before.get(MIG_CONFIG) != one.after.get(MIG_CONFIG)]
    spans = []
    for at, until in pairwise([*asked, len(labels)]):
        values = {value for change in labels[at:until] for value in change.set.values()}
        if {PAUSED, State.SUCCESS} <= values:
            spans.append(_Span(labels[at].sequence, labels[until].sequence if until < len(labels) else end))
    return spans


def _is_whole(cluster: MigCluster, node: str, span: _Span) -> bool:
    return not any(
        (isinstance(change, NodeChange) and change.field in _AWAY)
        or (isinstance(change, PodChange) and change.app == MIG_MANAGER_APP and change.event in _RESTARTED)
        for change in cluster.timeline.between(span.begin, span.end, node=node)
    )


def _effects(cluster: MigCluster, node: str, others: Collection[str], span: _Span) -> Iterator[str]:
    own = cluster.timeline.between(span.begin, span.end, node=node)
    yield from _deleted(cluster, [change for change in own if not _is_of_operand(cluster, change)])
    for other in others:
        history = cluster.timeline.between(span.begin, span.end, node=other)
        yield from _deleted(cluster, history)
        yield from _written(other, history)


def _is_of_operand(cluster: MigCluster, change: Change) -> bool:
    return isinstance(change, PodChange) and change.namespace == cluster.operator_namespace and bool(change.app)


def _deleted(cluster: MigCluster, history: Sequence[Change]) -> Iterator[str]:
    steps = [change for change in history if isinstance(change, PodChange) and change.revision]
    ended = {step.uid for step in steps if step.event is PodEvent.ENDED}
    for step in steps:
        by_others = step.disruption or step.uid in ended or cluster.writes.deleted(step.uid)
        if step.event in _DELETED and not by_others:
            yield f"{step.node}: pod of DaemonSet {step.name.rpartition('-')[0]} deleted"


def _written(node: str, history: Sequence[Change]) -> Iterator[str]:
    """The labels that were written on a node, except those of its own GPU Feature Discovery."""
    for change in history:
        if isinstance(change, LabelChange):
            names = (name for name in (*change.set, *change.removed) if not is_gfd_label(name))
            yield from (f"{node}: label {name} written" for name in names)
