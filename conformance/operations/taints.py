"""Taints that a node gets during a run."""

from __future__ import annotations

from typing import Final

from conformance.cluster.changes import NodeChange
from conformance.cluster.observed import ObservedCluster

_EFFECTS: Final = (":NoSchedule", ":NoExecute")


def new_taints(cluster: ObservedCluster, node: str) -> tuple[str, ...]:
    """Return the taints of a node that keep pods away and that it did not have when the suite connected.

    Each is text of the form `key=value:effect`.

    Raises:
        ClusterError: The node does not exist.
    """
    changes = cluster.timeline.of(NodeChange, node=node)
    at_first = next((change.before.split(", ") for change in changes if change.field == "taints"), None)
    if at_first is None:
        return ()
    return tuple(one for one in cluster.node(node).taints if one not in at_first and one.endswith(_EFFECTS))
