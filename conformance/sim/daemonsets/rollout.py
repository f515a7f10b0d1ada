"""The rollout of a DaemonSet: which pods to create, delete and replace, its status, and the back-off for failed pods.

Source: Kubernetes v1.36, pkg/controller/daemon/daemon_controller.go and update.go (without surge).
"""

from __future__ import annotations

import heapq
import math
from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from conformance.sim.backoff import BackOff
from conformance.sim.daemonsets.placement import Verdict

Manifest = Mapping[str, Any]

REVISION_LABEL: Final = "controller-revision-hash"
FIRST_WAIT: Final = 1.0
LONGEST_WAIT: Final = 900.0
"""Cluster seconds between the first two replacements of failed pods in one place, and the limit as they double."""


@dataclass(frozen=True)
class Plan:
    """The next step for a DaemonSet.

    Attributes:
        create_on: Nodes on which to create a pod.
        delete: Pods to delete.
    """

    create_on: tuple[str, ...]
    delete: tuple[Manifest, ...]


@dataclass(frozen=True)
class _Share:
    """What one node contributes to the plan and the status.

    Attributes:
        counts: Contribution to the counters; see `_share`.
        lacking: Whether a pod has to be created.
        surplus: Pods to delete.
        outdated: The pod to replace in a rolling update; None if there is none.
        broken: Whether that pod is unavailable already, so that replacing it costs nothing.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    lacking: bool = False
    surplus: Sequence[Manifest] = ()
    outdated: Manifest | None = None
    broken: bool = False


_NOTHING: Final = _Share()


class Rollout:
    """The nodes and pods of one DaemonSet.

    It evaluates only the nodes that have changed since the last plan or status, so the cost of an event does not
    depend on the size of the cluster. A new revision changes all nodes.
    """

    def __init__(self) -> None:
        self._revision = ""
        self._verdicts: dict[str, Verdict] = {}
        self._pods: dict[str, dict[str, Manifest]] = {}
        self._nodes_of_pods: dict[str, str] = {}
        self._node_order = _Order()
        self._pod_order = _Order()
        self._changed: set[str] = set()
        self._shares: dict[str, _Share] = {}
        self._counts: Counter[str] = Counter()
        self._lacking: set[str] = set()
        self._crowded: set[str] = set()
        self._broken: set[str] = set()
        self._outdated: set[str] = set()

    def set_verdicts(self, verdicts: Mapping[str, Verdict]) -> None:
        """Replace the verdicts of all nodes; plans keep their order."""
        for node in [node for node in self._verdicts if node not in verdicts]:
            self.drop_verdict(node)
        for node, verdict in verdicts.items():
            self.set_verdict(node, verdict)

    def set_verdict(self, node: str, verdict: Verdict) -> bool:
        """Set the verdict of a node; return whether it changed."""
        if self._verdicts.get(node) == verdict:
            return False
        self._node_order.add(node)
        self._verdicts[node] = verdict
        self._changed.add(node)
        return True

    def drop_verdict(self, node: str) -> None:
        """Forget a node that has left the cluster; its pods remain."""
        if self._verdicts.pop(node, None):
            self._node_order.drop(node)
            self._changed.add(node)

    def set_pod(self, uid: str, node: str, pod: Manifest) -> None:
        """Record a pod that is new or changed."""
        if self._nodes_of_pods.get(uid, node) != node:
            self.drop_pod(uid)
        self._nodes_of_pods[uid] = node
        self._pod_order.add(uid)
        self._pods.setdefault(node, {})[uid] = pod
        self._changed.add(node)

    def drop_pod(self, uid: str) -> None:
        """Forget a pod that is gone."""
        node = self._nodes_of_pods.pop(uid, None)
        if node is None:
            return
        self._pod_order.drop(uid)
        del self._pods[node][uid]
        if not self._pods[node]:
            del self._pods[node]
        self._changed.add(node)

    def has_pod(self, uid: str) -> bool:
        """Return whether the pod is known."""
        return uid in self._nodes_of_pods

    def plan(self, daemon_set: Manifest, revision: str) -> Plan:
        """Plan one pod per node; once every node has one, replace outdated pods as the update strategy allows.

        A terminating pod counts as present: its replacement is created when it is gone.

        Args:
            daemon_set: The DaemonSet.
            revision: Hash of the current template.
        """
        self._refresh(revision)
        create_on = tuple(self._node_order.sort(self._lacking))
        crowded = sorted(self._crowded, key=lambda node: self._pod_order.of(next(iter(self._pods[node]))))
        delete = [pod for node in crowded for pod in self._shares[node].surplus]
        if not create_on and not delete and daemon_set["spec"]["updateStrategy"]["type"] == "RollingUpdate":
            delete = self._replaceable(daemon_set)
        return Plan(create_on, tuple(delete))

    def status(self, daemon_set: Manifest, revision: str) -> dict[str, int | None]:
        """Return the status of the DaemonSet; None for counters that the API omits if they are zero."""
        self._refresh(revision)
        counts = self._counts
        optional = {
            "updatedNumberScheduled": counts["updated"],
            "numberAvailable": counts["available"],
            "numberUnavailable": counts["desired"] - counts["available"],
        }
        return {
            "currentNumberScheduled": counts["placed"],
            "numberMisscheduled": counts["misscheduled"],
            "desiredNumberScheduled": counts["desired"],
            "numberReady": counts["available"],
            "observedGeneration": daemon_set["metadata"]["generation"],
        } | {name: count or None for name, count in optional.items()}

    def _replaceable(self, daemon_set: Manifest) -> list[Manifest]:
        """Return the outdated pods to replace now: unavailable ones, then others within maxUnavailable."""
        limit = _max_unavailable(daemon_set, self._counts["desired"])
        free = max(limit - self._counts["unavailable"] - len(self._broken), 0)
        nodes = [*self._node_order.sort(self._broken), *self._node_order.first(free, self._outdated)]
        return [pod for node in nodes if (pod := self._shares[node].outdated)]

    def _refresh(self, revision: str) -> None:
        """Bring the shares of changed nodes up to date."""
        if revision != self._revision:
            self._revision = revision
            self._changed |= self._verdicts.keys() | self._pods.keys()
        for node in self._changed:
            on_node = tuple(self._pods.get(node, {}).values())
            self._replace(node, _share(self._verdicts.get(node), on_node, revision))
        self._changed.clear()

    def _replace(self, node: str, share: _Share) -> None:
        self._counts.subtract(self._shares.pop(node, _NOTHING).counts)
        self._counts.update(share.counts)
        if share is not _NOTHING:
            self._shares[node] = share
        _set_member(self._lacking, node, share.lacking)
        _set_member(self._crowded, node, bool(share.surplus))
        _set_member(self._broken, node, share.broken)
        _set_member(self._outdated, node, share.outdated is not None and not share.broken)


class _Order:
    """The order in which names were added; a name that is dropped and added again comes last."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._next = 0

    def add(self, name: str) -> None:
        if name not in self._numbers:
            self._numbers[name] = self._next
            self._next += 1

    def drop(self, name: str) -> None:
        del self._numbers[name]

    def of(self, name: str) -> int:
        return self._numbers[name]

    def sort(self, names: Iterable[str]) -> list[str]:
        return sorted(names, key=self.of)

    def first(self, count: int, names: Iterable[str]) -> list[str]:
        return heapq.nsmallest(count, names, key=self.of) if count else []


def is_ready(pod: Manifest) -> bool:
    """Return whether the pod is ready, which without minReadySeconds means available."""
    conditions = pod.get("status", {}).get("conditions", ())
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def is_ending(pod: Manifest) -> bool:
    """Return whether the pod is terminating."""
    return "deletionTimestamp" in pod["metadata"]


class FailureBackOff:
    """The back-off before failed pods are replaced; all times are cluster seconds.

    Source: Kubernetes v1.36, pkg/controller/daemon/daemon_controller.go (failedPodsBackoff).
    """

    def __init__(self) -> None:
        self._waits: dict[Hashable, BackOff] = {}
        self._allowed_at: dict[Hashable, float] = {}

    def remaining(self, place: Hashable, now: float) -> float:
        """Return the seconds until a pod in `place` may be replaced; 0 allows it and starts the next wait.

        After twice the longest wait without failures, a place starts again with the first wait.
        """
        allowed_at = self._allowed_at.get(place, now)
        if allowed_at > now:
            return allowed_at - now
        wait = self._waits.setdefault(place, BackOff(FIRST_WAIT, LONGEST_WAIT))
        if now - allowed_at > 2 * LONGEST_WAIT:
            wait.reset()
        self._allowed_at[place] = now + wait.lengthen()
        return 0.0


def _share(verdict: Verdict | None, on_node: Sequence[Manifest], revision: str) -> _Share:
    """Evaluate one node.

    The counters `placed`, `available` and `updated` count the oldest pod of every node that should run one;
    `unavailable` counts nodes against maxUnavailable of a rolling update, outdated pods aside.
    """
    surplus = _surplus(verdict, on_node)
    if verdict is None or not verdict.create:
        return _Share({"misscheduled": 1}, surplus=surplus) if on_node else _NOTHING
    if not on_node:
        return _Share({"desired": 1, "unavailable": 1}, lacking=True)
    placed = min(on_node, key=_age)
    updated, available = _revision(placed) == revision, is_ready(placed)
    counts = {"desired": 1, "placed": 1, "available": int(available), "updated": int(updated)}
    if len(on_node) != 1 or is_ending(placed):
        return _Share(counts | {"unavailable": 1}, surplus=surplus)
    if updated:
        return _Share(counts | {"unavailable": int(not available)}, surplus=surplus)
    return _Share(counts, surplus=surplus, outdated=placed, broken=not available)


def _surplus(verdict: Verdict | None, on_node: Sequence[Manifest]) -> list[Manifest]:
    """Return the pods of one node to delete: all if none may stay, else failed pods and all but the oldest."""
    live = [pod for pod in on_node if not is_ending(pod)]
    if verdict is None or not verdict.keep:
        return live
    failed = [pod for pod in live if pod.get("status", {}).get("phase") == "Failed"]
    running = sorted((pod for pod in live if pod not in failed), key=_age)
    return failed + running[1:]


def _max_unavailable(daemon_set: Manifest, desired: int) -> int:
    limit = daemon_set["spec"]["updateStrategy"].get("rollingUpdate", {}).get("maxUnavailable", 1)
    if isinstance(limit, str):
        return math.ceil(int(limit.removesuffix("%")) * desired / 100)
    return int(limit)


def _revision(pod: Manifest) -> str:
    return str(pod["metadata"].get("labels", {}).get(REVISION_LABEL, ""))


def _age(pod: Manifest) -> tuple[str, str]:
    return pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]


def _set_member(names: set[str], name: str, member: bool) -> None:
    (names.add if member else names.discard)(name)
