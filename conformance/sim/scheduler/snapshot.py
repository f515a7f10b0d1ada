"""The nodes of the cluster with what is taken on them, and where a pod fits."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from conformance.sim.kube import Object
from conformance.sim.scheduler.placement import is_cordoned, matches_affinity, pinned_nodes, untolerated
from conformance.sim.scheduler.requests import amounts, pod_requests
from conformance.sim.scheduler.verdict import (
    CORDONED,
    NO_AFFINITY,
    PINNED_ELSEWHERE,
    TOO_MANY_PODS,
    UNTOLERATED,
    Refusal,
)

NONE = Decimal(0)


@dataclass
class _Node:
    """One node.

    Attributes:
        node: The Node object.
        allocatable: What it offers.
        pods: What each pod on it takes, by uid.
        taken: Sum of what the pods take.
    """

    node: Object
    allocatable: dict[str, Decimal]
    pods: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    taken: dict[str, Decimal] = field(default_factory=dict)

    def add(self, uid: str, requests: dict[str, Decimal]) -> None:
        self.pods[uid] = requests
        for resource, wanted in requests.items():
            self.taken[resource] = self.taken.get(resource, NONE) + wanted

    def remove(self, uid: str) -> None:
        for resource, wanted in self.pods.pop(uid, {}).items():
            self.taken[resource] -= wanted


class Snapshot:
    """All nodes, kept up to date by events."""

    def __init__(self) -> None:
        self._nodes: dict[str, _Node] = {}
        self._pods: dict[str, tuple[str, dict[str, Decimal]]] = {}

    def set_node(self, node: Object) -> None:
        """Take note of a node that is new or changed."""
        name = node["metadata"]["name"]
        allocatable = amounts(node.get("status", {}).get("allocatable"))
        if known := self._nodes.get(name):
            known.node, known.allocatable = node, allocatable
            return
        self._nodes[name] = _Node(node, allocatable)
        for uid, (where, requests) in self._pods.items():
            if where == name:
                self._nodes[name].add(uid, requests)

    def drop_node(self, name: str) -> None:
        """Forget a node."""
        self._nodes.pop(name, None)

    def place(self, pod: Object, node: str) -> None:
        """Count a pod on a node; again without effect."""
        uid = pod["metadata"]["uid"]
        if uid in self._pods:
            return
        requests = pod_requests(pod)
        self._pods[uid] = (node, requests)
        if known := self._nodes.get(node):
            known.add(uid, requests)

    def counts(self, uid: str) -> bool:
        """Whether the pod is counted on some node."""
        return uid in self._pods

    def free(self, uid: str) -> bool:
        """Count a pod no longer, and return whether it was counted."""
        where, _ = self._pods.pop(uid, ("", {}))
        if known := self._nodes.get(where):
            known.remove(uid)
        return bool(where)

    def choose(self, pod: Object, *, ignore_resources: bool = False) -> str | list[Refusal]:
        """Return the node with the fewest pods of those that take the pod, or why each node does not."""
        requests, pinned = pod_requests(pod), pinned_nodes(pod)
        refusals, fitting = [], []
        candidates = self._nodes.keys() if pinned is None else pinned & self._nodes.keys()
        for name in candidates:
            node = self._nodes[name]
            if refusal := _refusal(pod, node, {} if ignore_resources else requests):
                refusals.append(refusal)
            else:
                fitting.append((len(node.pods), name))
        if fitting:
            return min(fitting)[1]
        return refusals + [Refusal((PINNED_ELSEWHERE,))] * (len(self._nodes) - len(candidates))


def _refusal(pod: Object, node: _Node, requests: dict[str, Decimal]) -> Refusal | None:
    """Ask the filters in their order; the first that refuses speaks for the node."""
    if is_cordoned(pod, node.node):
        return Refusal((CORDONED,))
    if untolerated(pod, node.node):
        return Refusal((UNTOLERATED,))
    if not matches_affinity(pod, node.node):
        return Refusal((NO_AFFINITY,))
    return _lack(node, requests)


def _lack(node: _Node, requests: dict[str, Decimal]) -> Refusal | None:
    reasons, helpless = [], False
    if len(node.pods) + 1 > node.allocatable.get("pods", NONE):
        reasons.append(TOO_MANY_PODS)
    for resource, wanted in requests.items():
        offered = node.allocatable.get(resource, NONE)
        if wanted > offered - node.taken.get(resource, NONE):
            reasons.append(f"Insufficient {resource}")
            helpless = helpless or wanted > offered
    return Refusal(tuple(reasons), helpless) if reasons else None
