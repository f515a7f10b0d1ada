"""Keeps a pod from going away for a while, with a finalizer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from conformance.cluster import paths
from conformance.cluster.errors import ApiError, InconclusiveError
from conformance.cluster.pod_view import PodView
from conformance.operations.fields import Field, look_up
from conformance.operations.mig_cluster import MigCluster

FINALIZER: Final = "mig-conformance/keep"
_FINALIZERS: Final = ("metadata", "finalizers")


@contextmanager
def kept(cluster: MigCluster, pod: PodView) -> Iterator[None]:
    """Keep the object of a pod until the end of the block, also if somebody deletes the pod; it is then Terminating.

    mig-manager waits for the pods of the operands to be gone, so its run cannot end meanwhile. The restore takes the
    finalizer away if the run is killed.

    Raises:
        InconclusiveError: Somebody else took the finalizer away, and the pod is gone.
        ForeignChangeError, ApiError, ClusterError: As for `MigCluster.change`.
    """
    path = paths.pod(pod.namespace, pod.name)
    finalizers = Field(path, _FINALIZERS)
    found = look_up(cluster.transport.get(path), _FINALIZERS)
    cluster.change(finalizers, [*(found or ()), FINALIZER])
    try:
        yield
    except BaseException:
        _release(cluster, finalizers, found)
        raise
    if not _release(cluster, finalizers, found):
        raise InconclusiveError(f"somebody took the finalizer {FINALIZER} from pod {pod}, which was to stay")


def _release(cluster: MigCluster, finalizers: Field, found: list[str] | None) -> bool:
    """Take the finalizer away; return whether the pod was still there."""
    there = True
    try:
        cluster.change(finalizers, found)
    except ApiError as error:
        if not error.not_found:
            raise
        there = False
    if cluster.journal is not None:
        cluster.journal.forget(finalizers.object)
    return there
