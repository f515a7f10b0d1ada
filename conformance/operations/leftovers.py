"""Removes what runs of the suite created for themselves: pods and ConfigMaps."""

from __future__ import annotations

from conformance.cluster import paths
from conformance.cluster.client import Cluster
from conformance.cluster.pod_view import RUN_LABEL, PodView
from conformance.operations.journal import JOURNAL_LABEL


def remove_leftovers(cluster: Cluster, *, wait: bool = True) -> None:
    """Delete the pods of all runs, and the ConfigMaps in the suite's namespace that are not part of a journal.

    Call this only while this run holds the lease, so that no other run is active.

    Args:
        cluster: The cluster.
        wait: Whether to wait until the pods are gone.

    Raises:
        ClusterError: Something cannot be deleted, or the pods are not gone within `limits.pod_gone`.
    """
    query = {"labelSelector": f"{RUN_LABEL},!{JOURNAL_LABEL}"}
    for item in cluster.transport.list(paths.config_maps(cluster.namespace), query):
        cluster.transport.delete(paths.config_map(cluster.namespace, item["metadata"]["name"]))
    for pod in _own_pods(cluster):
        cluster.kill_pod(pod)
    if wait:
        cluster.wait(lambda: not _own_pods(cluster), "the suite's own pods to be gone", cluster.limits.pod_gone)


def _own_pods(cluster: Cluster) -> list[PodView]:
    return [pod for pod in cluster.pods() if pod.run is not None]
