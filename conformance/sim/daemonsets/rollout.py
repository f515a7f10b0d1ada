"""Which pods of a DaemonSet to create, delete and replace, its status, and the back-off for failed pods.

Source: Kubernetes v1.36, pkg/controller/daemon/daemon_controller.go and update.go (without surge).
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from conformance.sim.backoff import BackOff
from conformance.sim.daemonsets.placement import Verdict

Manifest = Mapping[str, Any]
PodsByNode = Mapping[str, Sequence[Manifest]]

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


def plan(daemon_set: Manifest, verdicts: Mapping[str, Verdict], pods: PodsByNode, revision: str) -> Plan:
    """Plan one pod per node; once every node has one, replace outdated pods as the update strategy allows.

    A terminating pod counts as present: its replacement is created when it is gone.

    Args:
        daemon_set: The DaemonSet.
        verdicts: Its verdict by node.
        pods: Its pods by node, including nodes that should not run one.
        revision: Hash of the current template.
    """
    create_on = tuple(node for node, verdict in verdicts.items() if verdict.create and not pods.get(node))
    delete = [pod for node, on_node in pods.items() for pod in _surplus(verdicts.get(node), on_node)]
    if not create_on and not delete and daemon_set["spec"]["updateStrategy"]["type"] == "RollingUpdate":
        delete = _outdated(daemon_set, verdicts, pods, revision)
    return Plan(create_on, tuple(delete))


def status(
    daemon_set: Manifest, verdicts: Mapping[str, Verdict], pods: PodsByNode, revision: str
) -> dict[str, int | None]:
    """Return the status of a DaemonSet; None for counters that the API omits if they are zero."""
    wanted = [node for node, verdict in verdicts.items() if verdict.create]
    placed = [min(pods[node], key=_age) for node in wanted if pods.get(node)]
    available = sum(is_ready(pod) for pod in placed)
    optional = {
        "updatedNumberScheduled": sum(_revision(pod) == revision for pod in placed),
        "numberAvailable": available,
        "numberUnavailable": len(wanted) - available,
    }
    return {
        "currentNumberScheduled": len(placed),
        "numberMisscheduled": sum(bool(on_node) and node not in wanted for node, on_node in pods.items()),
        "desiredNumberScheduled": len(wanted),
        "numberReady": available,
        "observedGeneration": daemon_set["metadata"]["generation"],
    } | {name: count or None for name, count in optional.items()}


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


def _surplus(verdict: Verdict | None, on_node: Sequence[Manifest]) -> list[Manifest]:
    """Return the pods of one node to delete: all if none may stay, else failed pods and all but the oldest."""
    live = [pod for pod in on_node if not is_ending(pod)]
    if verdict is None or not verdict.keep:
        return live
    failed = [pod for pod in live if pod.get("status", {}).get("phase") == "Failed"]
    running = sorted((pod for pod in live if pod not in failed), key=_age)
    return failed + running[1:]


def _outdated(daemon_set: Manifest, verdicts: Mapping[str, Verdict], pods: PodsByNode, revision: str) -> list[Manifest]:
    """Return the outdated pods to replace now: unavailable ones, then others within maxUnavailable."""
    wanted = [node for node, verdict in verdicts.items() if verdict.create]
    unavailable = 0
    broken: list[Manifest] = []
    candidates: list[Manifest] = []
    for node in wanted:
        on_node = pods.get(node, ())
        if len(on_node) != 1 or is_ending(on_node[0]):
            unavailable += 1
        elif _revision(on_node[0]) == revision:
            unavailable += not is_ready(on_node[0])
        else:
            (candidates if is_ready(on_node[0]) else broken).append(on_node[0])
    free = max(_max_unavailable(daemon_set, len(wanted)) - unavailable - len(broken), 0)
    return broken + candidates[:free]


def _max_unavailable(daemon_set: Manifest, desired: int) -> int:
    limit = daemon_set["spec"]["updateStrategy"].get("rollingUpdate", {}).get("maxUnavailable", 1)
    if isinstance(limit, str):
        return math.ceil(int(limit.removesuffix("%")) * desired / 100)
    return int(limit)


def _revision(pod: Manifest) -> str:
    return str(pod["metadata"].get("labels", {}).get(REVISION_LABEL, ""))


def _age(pod: Manifest) -> tuple[str, str]:
    return pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]
