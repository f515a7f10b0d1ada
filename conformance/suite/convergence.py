"""Measures how long the changes on the way to a cell took, for the report. Judges nothing."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.cluster.changes import LabelChange, PodChange, PodEvent, ResourceChange
from conformance.operations.evidence import Outcome
from conformance.report.observations import ChangeKind
from conformance.spec.names import GFD_TIMESTAMP
from conformance.suite.node_in_cell import NodeInCell


def convergence(node: NodeInCell) -> Iterator[tuple[ChangeKind, float]]:
    """Yield kind and seconds of the changes of a node that came to its cell and to rest there.

    Seconds are those of the cluster's clock. A change that was complete before the answer of mig-manager is left out.
    Of pods, only those of the suite count that were created before the node was at rest: later ones may have to wait.
    """
    change = node.arrival.reconfiguration if node.arrival else None
    if change is None or change.outcome is not Outcome.SUCCESS or change.answered is None:
        return
    yield "label-to-success", change.answered - change.started
    if not node.at_rest:
        return
    timeline = node.cluster.timeline
    after = [it for it in timeline.between(change.mark, node.at_rest, node=node.name) if it.time > change.answered]
    counts = [it.time for it in after if isinstance(it, ResourceChange) and it.field == "allocatable"]
    labels = [it.time for it in after if isinstance(it, LabelChange) and GFD_TIMESTAMP in it.set]
    if counts:
        yield "success-to-allocatable", max(counts) - change.answered
    if labels:
        yield "success-to-labels", max(labels) - change.answered
    own = {it.uid for it in after if isinstance(it, PodChange) and it.run and it.event is PodEvent.APPEARED}
    for life in timeline.pods(node.name, change.mark, node.left):
        if life.uid in own and life.started is not None and life.ready is not None:
            yield "pod-to-running", life.ready - life.started
