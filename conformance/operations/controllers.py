"""The pods of the operator itself and of Node Feature Discovery: found by their labels, deleted, and followed.

Source: NVIDIA/gpu-operator v26.7.0, deployments/gpu-operator: the chart installs Node Feature Discovery as a sub-chart,
so that its pods are in the operator's namespace. The suite deletes no pod of another namespace but its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from conformance.cluster.errors import ApiError
from conformance.cluster.pod_view import PodView
from conformance.operations.manager_log import LOG_PAUSE
from conformance.operations.mig_cluster import MigCluster
from conformance.spec.names import OPERATOR_APP

GONE: Final = "gone"
REPLACED: Final = "replaced"
_ROLES: Final[Mapping[str, Mapping[str, str]]] = {
    "operator": {"app": OPERATOR_APP},
    "NFD master": {"app.kubernetes.io/name": "node-feature-discovery", "role": "master"},
    "NFD worker": {"app.kubernetes.io/name": "node-feature-discovery", "role": "worker"},
}
OPERATOR, NFD_MASTER, NFD_WORKER = _ROLES
"""Names of the controllers, as reports show them."""
_RECONCILED: Final = ("ClusterPolicy is ready", "ClusterPolicy is not ready", "ClusterPolicy isn't ready")
"""What the operator logs at the end of a reconcile, by release; v26.7.0, controllers/clusterpolicy_controller.go."""


def controller_pods(cluster: MigCluster, role: str, node: str | None = None) -> list[PodView]:
    """Return the pods of a controller in the operator's namespace that are not Terminating; `node` None means any."""
    found = cluster.pods(namespace=cluster.operator_namespace, node=node, labels=_ROLES[role])
    return [pod for pod in found if not pod.terminating and not pod.ended]


class Replacement:
    """Deletes pods of controllers, each of which has an owner that makes a new one, and follows their successors.

    Args:
        cluster: The cluster.
        pods: The pods to delete.
    """

    def __init__(self, cluster: MigCluster, pods: Iterable[PodView]) -> None:
        self._cluster = cluster
        self._former = tuple(pods)
        for pod in self._former:
            cluster.delete_pod(pod)

    def is_back(self) -> bool:
        """Whether each pod is gone and has a successor that is Ready."""
        return all(fate == REPLACED for fate in self._fates().values())

    def fates(self, node: str) -> Mapping[str, str]:
        """Return what became of the controllers of a node, and of those of the cluster, by their names."""
        return {role: fate for (role, where), fate in self._fates().items() if where in ("", node)}

    def has_reconciled(self) -> bool:
        """Whether the new pod of the operator has logged the end of a reconcile. False if its log cannot be read."""
        uids = {pod.uid for pod in self._former}
        pods = [pod for pod in controller_pods(self._cluster, OPERATOR) if pod.uid not in uids]
        return any(mark in line for pod in pods for line in self._log(pod) for mark in _RECONCILED)

    def await_reconcile(self, limit: float) -> None:
        """Watch for `limit` seconds until `has_reconciled`; a log cannot be watched for changes."""
        until = self._cluster.clock.now() + limit
        while not self.has_reconciled() and (left := until - self._cluster.clock.now()) > 0:
            pause = min(LOG_PAUSE, left)
            self._cluster.observe(lambda: False, pause, "the operator to look at the cluster")

    def _fates(self) -> dict[tuple[str, str], str]:
        found = {}
        for pod in self._former:
            role = next(role for role, labels in _ROLES.items() if labels.items() <= pod.labels.items())
            node = pod.assigned_node if role == NFD_WORKER else ""
            now = self._cluster.pods(namespace=pod.namespace, node=node or None, labels=_ROLES[role])
            there = any(one.uid == pod.uid for one in now)
            new = any(one.uid != pod.uid and one.ready and not one.terminating for one in now)
            found[role, node] = "Terminating" if there else REPLACED if new else GONE
        return found

    def _log(self, pod: PodView) -> list[str]:
        try:
            return self._cluster.logs(pod, next(iter(pod.images), None))
        except ApiError:
            return []  # the container has not started
