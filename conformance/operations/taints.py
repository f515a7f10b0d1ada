"""Taints and other fields of a node that somebody else changes during a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from conformance.cluster.changes import Change, NodeChange
from conformance.cluster.observed import ObservedCluster

_EFFECTS: Final = (":NoSchedule", ":NoExecute")
_TOLERATED: Final = ("nvidia.com/gpu=", ":NoSchedule")
"""Beginning and end of the taint that operands and pods of the suite tolerate (gpu-operator v26.7.0, values.yaml)."""
_OF_KUBERNETES: Final = "node.kubernetes.io/"
"""Kubernetes sets these taints itself, such as that of a cordon; the fields that they stand for are seen as such."""


def lasting_taints(taints: Iterable[str]) -> tuple[str, ...]:
    """Return the taints of a node without those that Kubernetes sets itself."""
    return tuple(taint for taint in taints if not taint.startswith(_OF_KUBERNETES))


def keeps_pods_away(taint: str) -> bool:
    """Return whether a taint keeps the operands and the pods of the suite away from a node.

    Args:
        taint: Text of the form `key=value:effect`.
    """
    start, end = _TOLERATED
    tolerated = taint.startswith(start) and taint.endswith(end)
    return taint.endswith(_EFFECTS) and not taint.startswith(_OF_KUBERNETES) and not tolerated


def kept_off_by(before: Iterable[str], now: Iterable[str]) -> tuple[str, ...]:
    """Return the new taints of a node that keep pods away, sorted."""
    return tuple(sorted(taint for taint in {*now} - {*before} if keeps_pods_away(taint)))


def new_taints(cluster: ObservedCluster, node: str) -> tuple[str, ...]:
    """Return the taints of a node that keep pods away and that it did not have when the suite connected.

    Each is text of the form `key=value:effect`. Taints that Kubernetes sets itself are left out.

    Raises:
        ClusterError: The node does not exist.
    """
    changes = cluster.timeline.of(NodeChange, node=node)
    at_first = next((taints_in(change.before) for change in changes if change.field == "taints"), None)
    if at_first is None:
        return ()
    return kept_off_by(at_first, cluster.node(node).taints)


def node_changes(history: Iterable[Change], owns: Callable[[str], bool]) -> tuple[NodeChange, ...]:
    """Return the changes of a node's fields that neither the suite nor Kubernetes itself made.

    Args:
        history: Changes of one node.
        owns: Whether a resourceVersion is the result of one of the suite's writes.
    """
    changes = (change for change in history if isinstance(change, NodeChange) and not owns(change.version))
    return tuple(one for one in changes if one.field != "taints" or taints_in(one.before) != taints_in(one.after))


def taints_in(text: str) -> set[str]:
    """Return the taints in the text of a `NodeChange`, without those that Kubernetes sets itself."""
    return {*lasting_taints(taint for taint in text.split(", ") if taint)}
