"""Removes what runs of the suite created for themselves: pods and ConfigMaps."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from conformance.cluster import paths
from conformance.cluster.client import Cluster
from conformance.cluster.errors import ApiError, InconclusiveError, WaitTimeout
from conformance.cluster.pod_view import RUN_LABEL, PodView
from conformance.operations.journal import is_entry


def remove_leftovers(cluster: Cluster, *, wait: bool = True) -> None:
    """Delete the pods of all runs, and the ConfigMaps in the suite's namespace that are not part of a journal.

    Call this only while this run holds the lease, so that no other run is active.

    Args:
        cluster: The cluster.
        wait: Whether to wait until the pods are gone.

    Raises:
        ClusterError: Something cannot be deleted, or the pods are not gone within `limits.pod_gone`; see `await_end`.
    """
    own = cluster.transport.list(paths.config_maps(cluster.namespace), {"labelSelector": RUN_LABEL})
    for item in (one for one in own if not is_entry(one)):
        cluster.transport.delete(paths.config_map(cluster.namespace, item["metadata"]["name"]))
    for pod in _own_pods(cluster):
        cluster.kill_pod(pod)
    if wait:
        await_end(cluster, lambda: _own_pods(cluster), "the suite's own pods to be gone")


def await_end(cluster: Cluster, left: Callable[[], Sequence[PodView]], what: str, node: str | None = None) -> None:
    """Wait up to `limits.pod_gone` until pods of the suite are gone, which were deleted.

    Args:
        cluster: The cluster.
        left: Returns the pods that are still there.
        what: What is waited for, for messages.
        node: Node of the pods; None if there are several.

    Raises:
        InconclusiveError: Somebody else's finalizer keeps a pod: the suite sets none on its own pods.
        WaitTimeout: The pods are still there.
    """
    try:
        cluster.wait(lambda: not left(), what, cluster.limits.pod_gone, node=node)
    except WaitTimeout:
        for pod in left():
            if kept := _finalizers(cluster, pod):
                raise InconclusiveError(
                    f"somebody else keeps pod {pod.namespace}/{pod.name} with finalizer {', '.join(kept)}: remove it, "
                    "then run `mig-conformance restore apply`"
                ) from None
        raise


def _finalizers(cluster: Cluster, pod: PodView) -> list[str]:
    try:
        return list(cluster.transport.get(paths.pod(pod.namespace, pod.name))["metadata"].get("finalizers") or ())
    except ApiError as error:
        if error.not_found:
            return []
        raise


def _own_pods(cluster: Cluster) -> list[PodView]:
    return [pod for pod in cluster.pods() if pod.run is not None]
