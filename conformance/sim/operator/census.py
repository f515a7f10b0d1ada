"""What the operator knows of the nodes: counts for the ClusterPolicy, and the nodes whose labels it has to look at."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from conformance.sim.operator.labels import is_gpu_node

Labels = Mapping[str, str]

_NFD_PREFIX: Final = "feature.node.kubernetes.io/"


class Census:
    """The labels of all nodes, kept up to date by events, so that a reconcile looks only at the nodes that changed."""

    def __init__(self) -> None:
        self._labels: dict[str, Labels] = {}
        self._order: dict[str, int] = {}
        self._joined = 0
        self._changed: set[str] = set()
        self._gpu_nodes: set[str] = set()
        self._with_features: set[str] = set()

    @property
    def gpu_nodes(self) -> int:
        """Number of nodes that the operator has labelled as GPU nodes."""
        return len(self._gpu_nodes)

    @property
    def found_features(self) -> bool:
        """Whether any node has labels of Node Feature Discovery."""
        return bool(self._with_features)

    def set(self, node: str, labels: Labels) -> None:
        """Record the labels of a node that is new or changed."""
        if self._labels.get(node) == labels:
            return
        if node not in self._order:
            self._order[node] = self._joined
            self._joined += 1
        self._uncount(node)
        self._labels[node] = labels
        self._changed.add(node)
        if is_gpu_node(labels):
            self._gpu_nodes.add(node)
        if any(name.startswith(_NFD_PREFIX) for name in labels):
            self._with_features.add(node)

    def drop(self, node: str) -> None:
        """Forget a node that has left the cluster."""
        self._uncount(node)
        self._changed.discard(node)
        self._labels.pop(node, None)
        self._order.pop(node, None)

    def look_at_all(self) -> None:
        """Count all nodes as changed."""
        self._changed.update(self._labels)

    def changed(self) -> list[tuple[str, Labels]]:
        """Return the nodes to look at, with their labels, in the order in which they joined the cluster."""
        return [(name, self._labels[name]) for name in sorted(self._changed, key=self._order.__getitem__)]

    def looked_at(self, node: str, labels: Labels) -> None:
        """Record that the operator has handled these labels; if they have changed since, the node stays changed."""
        if self._labels.get(node) == labels:
            self._changed.discard(node)

    def _uncount(self, node: str) -> None:
        self._gpu_nodes.discard(node)
        self._with_features.discard(node)
