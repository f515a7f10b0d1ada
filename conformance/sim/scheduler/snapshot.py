"""A snapshot of the nodes, the resources that pods take on them, and the choice of a node for a pod.

A pod that fits nowhere is evaluated again only on the nodes that have changed since, so that a retry costs the same
on every cluster size. A node that refused it by taints or labels does so until these change: resources do not matter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache

from kubernetes.utils.quantity import parse_quantity

from conformance.sim.kube import Object
from conformance.sim.scheduler.placement import (
    is_cordoned,
    label_keys,
    matches_affinity,
    pinned_nodes,
    repelling_taints,
    tolerates_all,
    tolerates_cordon,
)
from conformance.sim.scheduler.verdict import (
    CORDONED,
    NO_AFFINITY,
    PINNED_ELSEWHERE,
    TOO_MANY_PODS,
    UNTOLERATED,
    Refusal,
)

NONE = Decimal(0)
_UNSCHEDULABLE, _TAINTED, _ELSEWHERE = (Refusal((reason,)) for reason in (CORDONED, UNTOLERATED, NO_AFFINITY))
_WHATEVER_IS_FREE = {_UNSCHEDULABLE, _TAINTED, _ELSEWHERE}
"""Refusals that do not depend on resources."""


@lru_cache(maxsize=4096)
def amount(quantity: str) -> Decimal:
    """Return the value of a quantity such as `250m`, `2Gi` or `7`: CPUs, bytes or devices."""
    return Decimal(parse_quantity(quantity))  # type: ignore[no-untyped-call]


def amounts(quantities: Mapping[str, str] | None) -> dict[str, Decimal]:
    """Return the values of a map of quantities; None counts as empty."""
    return {resource: amount(str(quantity)) for resource, quantity in (quantities or {}).items()}


def pod_requests(pod: Object) -> dict[str, Decimal]:
    """Return the requests of a pod: the sum over its containers, or that of an init container if it is larger."""
    spec = pod["spec"]
    needed: dict[str, Decimal] = {}
    for container in spec["containers"]:
        for resource, wanted in _requests(container).items():
            needed[resource] = needed.get(resource, Decimal(0)) + wanted
    for container in spec.get("initContainers") or []:
        for resource, wanted in _requests(container).items():
            needed[resource] = max(needed.get(resource, Decimal(0)), wanted)
    return needed


def _requests(container: Object) -> dict[str, Decimal]:
    return amounts((container.get("resources") or {}).get("requests"))


class _Node:
    """One node.

    Attributes:
        node: The Node object.
        allocatable: Allocatable resources.
        cordoned: Whether it is cordoned.
        taints: Taints that keep pods away.
        pods: Requests of each pod on it, by uid.
        taken: Sum of the requests.
    """

    def __init__(self, node: Object) -> None:
        self.pods: dict[str, dict[str, Decimal]] = {}
        self.taken: dict[str, Decimal] = {}
        self.update(node)

    def update(self, node: Object) -> None:
        self.node = node
        self.allocatable = amounts(node.get("status", {}).get("allocatable"))
        self.cordoned = is_cordoned(node)
        self.taints = repelling_taints(node)

    def add(self, uid: str, requests: dict[str, Decimal]) -> None:
        self.pods[uid] = requests
        for resource, wanted in requests.items():
            self.taken[resource] = self.taken.get(resource, NONE) + wanted

    def remove(self, uid: str) -> None:
        for resource, wanted in self.pods.pop(uid, {}).items():
            self.taken[resource] -= wanted


@dataclass
class _Search:
    """The search of one pod for a node.

    Attributes:
        spec: The pod's spec; another one starts a new search.
        requests: Requests of the pod.
        pinned: The only nodes in question; None for all nodes.
        version: Version of the snapshot at the last evaluation.
        fitting: Nodes that fit.
        refused: Refusal of each other node in question.
        refusals: How many nodes refuse the pod, by refusal.
    """

    spec: Object
    requests: dict[str, Decimal]
    pinned: frozenset[str] | None
    version: int = 0
    fitting: set[str] = field(default_factory=set)
    refused: dict[str, Refusal] = field(default_factory=dict)
    refusals: Counter[Refusal] = field(default_factory=Counter)

    def forget(self, name: str) -> None:
        self.fitting.discard(name)
        if refusal := self.refused.pop(name, None):
            self.refusals[refusal] -= 1

    def refuse(self, name: str, refusal: Refusal) -> None:
        self.refused[name] = refusal
        self.refusals[refusal] += 1


class Snapshot:
    """All nodes and the pods on them, kept up to date by events."""

    def __init__(self) -> None:
        self._version = 0
        self._changes: dict[str, int] = {}  # version of the last change by node, the latest change last
        self._admission_changes: dict[str, int] = {}  # the same for cordon, taints and the labels that pods select by
        self._selected_by: set[str] = set()
        self._searches: dict[str, _Search] = {}
        self._nodes: dict[str, _Node] = {}
        self._pods: dict[str, tuple[str, dict[str, Decimal]]] = {}

    def set_node(self, node: Object) -> None:
        """Record a node that is new or changed."""
        name = node["metadata"]["name"]
        self._change(name)
        if known := self._nodes.get(name):
            admission = self._admission(known)
            known.update(node)
            if admission != self._admission(known):
                self._admission_changes[name] = self._version
            return
        self._nodes[name] = _Node(node)
        self._admission_changes[name] = self._version
        for uid, (where, requests) in self._pods.items():
            if where == name:
                self._nodes[name].add(uid, requests)

    def drop_node(self, name: str) -> None:
        """Forget a node."""
        self._nodes.pop(name, None)
        self._change(name)
        self._admission_changes[name] = self._version

    def place(self, pod: Object, node: str) -> None:
        """Count a pod on a node; has no effect if it is already counted."""
        uid = pod["metadata"]["uid"]
        if uid in self._pods:
            return
        requests = pod_requests(pod)
        self._pods[uid] = (node, requests)
        if known := self._nodes.get(node):
            known.add(uid, requests)
            self._change(node)

    def counts(self, uid: str) -> bool:
        """Return whether the pod is counted on a node."""
        return uid in self._pods

    def free(self, uid: str) -> bool:
        """Stop counting a pod; return whether it was counted."""
        where, _ = self._pods.pop(uid, ("", {}))
        if known := self._nodes.get(where):
            known.remove(uid)
            self._change(where)
        return bool(where)

    def choose(self, pod: Object, *, ignore_resources: bool = False) -> str | Counter[Refusal]:
        """Return the feasible node with the fewest pods or, if there is none, how many nodes refuse the pod and why.

        Until `forget`, the next call for the same pod evaluates only the nodes that have changed.
        """
        search = self._search(pod)
        for name in self._changed_since(search.version, search.pinned):
            if search.refused.get(name) in _WHATEVER_IS_FREE and self._admission_changes[name] <= search.version:
                continue
            search.forget(name)
            if (node := self._nodes.get(name)) is None:
                continue
            if refusal := _refusal(pod, node, {} if ignore_resources else search.requests):
                search.refuse(name, refusal)
            else:
                search.fitting.add(name)
        search.version = self._version
        if search.fitting:
            return min(search.fitting, key=lambda name: (len(self._nodes[name].pods), name))
        elsewhere = len(self._nodes) - len(search.refused)
        return +(search.refusals + Counter({Refusal((PINNED_ELSEWHERE,)): elsewhere}))

    def forget(self, uid: str) -> None:
        """Forget what `choose` knows of a pod."""
        self._searches.pop(uid, None)

    def _search(self, pod: Object) -> _Search:
        uid, spec = pod["metadata"]["uid"], pod["spec"]
        known = self._searches.get(uid)
        if known is None or (known.spec is not spec and known.spec != spec):
            known = self._searches[uid] = _Search(spec, pod_requests(pod), pinned_nodes(pod))
            self._selected_by |= label_keys(pod)
        known.spec = spec  # an equal spec of a later version: the next comparison is one of identity
        return known

    def _admission(self, node: _Node) -> tuple[object, ...]:
        labels = node.node["metadata"].get("labels") or {}
        return node.cordoned, node.taints, [labels.get(key) for key in sorted(self._selected_by)]

    def _change(self, node: str) -> None:
        self._version += 1
        self._changes.pop(node, None)
        self._changes[node] = self._version

    def _changed_since(self, version: int, among: frozenset[str] | None) -> Iterator[str]:
        if among is not None:
            yield from (name for name in among if self._changes.get(name, 0) > version)
            return
        for name, changed in reversed(self._changes.items()):
            if changed <= version:
                return
            yield name


def _refusal(pod: Object, node: _Node, requests: dict[str, Decimal]) -> Refusal | None:
    """Apply the filters in order; the first that rejects the node gives the reason."""
    if node.cordoned and not tolerates_cordon(pod):
        return _UNSCHEDULABLE
    if not tolerates_all(pod, node.taints):
        return _TAINTED
    if not matches_affinity(pod, node.node):
        return _ELSEWHERE
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
