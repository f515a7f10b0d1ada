"""Pods of the suite that somebody else deletes while the suite waits for them."""

from __future__ import annotations

from conformance.cluster.changes import PodChange
from conformance.cluster.client import Cluster
from conformance.cluster.errors import InconclusiveError
from conformance.cluster.pod_view import PodView


def own_pod(cluster: Cluster, pod: PodView) -> PodView | None:
    """Return a pod that this client created as it is now; None if it is gone.

    Raises:
        InconclusiveError: Somebody else deleted it before it was bound to a node. No program of the product does that:
            they delete pods of a node.
    """
    now = cluster.pod(pod.name, pod.namespace)
    if now is not None and now.uid == pod.uid:
        return now
    steps = cluster.timeline.of(PodChange, node=pod.assigned_node or None)
    was_bound = any(step.uid == pod.uid and step.node for step in steps)
    if not was_bound and not cluster.writes.deleted(pod.uid):
        raise InconclusiveError(f"somebody deleted pod {pod} of the suite before it was bound to a node")
    return None
