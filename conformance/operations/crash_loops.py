"""Which operands of a node crash-loop: judged from what happened to their containers, not from one look.

A pod in a loop is Ready for a moment between two ends. kubelet starts a container again at once, then after 10 s, 20 s
and so on, up to 5 min (kubelet v1.36, MaxContainerBackOff).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from conformance.cluster.changes import PodChange, PodEvent
from conformance.cluster.client import Cluster
from conformance.cluster.pod_view import PodView
from conformance.spec.names import VALIDATOR_APP

A_FEW: Final = 2
"""Restarts that are tolerated while a node comes to rest. A crash loop has more after a minute."""


def crash_looping(cluster: Cluster, node: str, before: Mapping[str, int], mark: int) -> set[str]:
    """Return the apps of operands that crash-loop, without the validator, which ends while resources are missing.

    A pod that is Ready and was started again a moment ago is watched for the rest of `limits.crash_again`: a loop ends
    it again within that time.

    Args:
        cluster: The cluster.
        node: Name of the node.
        before: Restarts by UID of the pods that were there before; other pods had none.
        mark: Timeline mark from which restarts count.
    """
    since = _last_restarts(cluster, node, mark)
    doubtful: dict[str, int] = {}
    looping: set[str] = set()
    for pod in _operands(cluster, node):
        restarts = pod.restarts - before.get(pod.uid, 0)
        if pod.crashing or restarts > A_FEW:
            looping.add(pod.app)
        elif restarts > 0 and pod.uid in since:
            doubtful[pod.uid] = pod.restarts
    if not doubtful:
        return looping

    def ended_again() -> list[PodView]:
        pods = (pod for pod in _operands(cluster, node) if pod.uid in doubtful)
        return [pod for pod in pods if pod.crashing or pod.restarts > doubtful[pod.uid]]

    age = cluster.clock.now() - max(since[uid] for uid in doubtful)
    left = cluster.limits.crash_again - age
    if left > 0:
        cluster.observe(lambda: len(ended_again()) == len(doubtful), left, "an operand to stay Ready", node)
    return looping.union(pod.app for pod in ended_again())


def _operands(cluster: Cluster, node: str) -> list[PodView]:
    return [pod for pod in cluster.operands(node) if pod.app != VALIDATOR_APP]


def _last_restarts(cluster: Cluster, node: str, mark: int) -> dict[str, float]:
    """Return when a container of each pod was last started again, by UID, in seconds of the cluster's clock."""
    changes = cluster.timeline.of(PodChange, mark, node=node)
    return {change.uid: change.time for change in changes if change.event is PodEvent.RESTARTED}
