"""The suite's own namespace: created before the first change, deleted at the end if the suite created it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from conformance.cluster import paths
from conformance.cluster.client import SUITE_NAMESPACE, Cluster
from conformance.cluster.errors import ApiError, ClusterError, InconclusiveError, UnreachableError
from conformance.cluster.pod_view import RUN_LABEL
from conformance.cluster.transport import Transport
from conformance.operations.errors import ForeignChangeError

_PUBLISHED: Final = frozenset({"istio-ca-root-cert", "kube-root-ca.crt", "openshift-service-ca.crt"})
"""ConfigMaps that Kubernetes, OpenShift and Istio put into every namespace.

Those of other controllers are known by their copy in the operator's namespace.
"""


def ensure_namespace(cluster: Cluster, run: str) -> None:
    """Create the suite's namespace if it does not exist.

    Raises:
        InconclusiveError: It is being deleted, and something keeps it, such as a finalizer of somebody else.
        ClusterError: The namespace cannot be read, or it does not exist and cannot be created; the message says how to
            fix that.
    """
    found = _read(cluster)
    if found is not None and "deletionTimestamp" in found["metadata"]:
        if kept := _await_deletion(cluster, found):
            raise InconclusiveError(f"{kept}; remove what keeps it, then try again")
        found = _read(cluster)
    if found is not None:
        return
    meta = {"name": cluster.namespace, "labels": {RUN_LABEL: run}}
    try:
        cluster.transport.create(paths.namespaces(), {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
    except ApiError as error:
        if error.conflict:  # another run has begun at the same moment; the lease decides
            return
        raise ClusterError(
            f"cannot create namespace {cluster.namespace}: {error}; create it once with an account that may"
        ) from error


def namespace_exists(cluster: Cluster) -> bool:
    """Whether the suite's namespace exists.

    Raises:
        ClusterError: It cannot be read.
    """
    return _read(cluster) is not None


def namespace_is_there(transport: Transport, name: str = SUITE_NAMESPACE) -> bool:
    """Whether the suite's namespace exists, as far as these credentials may see; asked before a run begins.

    Raises:
        UnreachableError: The server does not answer.
    """
    try:
        transport.get(paths.namespace(name))
    except ApiError:
        return False
    return True


def unless_deleted(cluster: Cluster, error: ApiError) -> ClusterError:
    """Return the error to raise for a rejected write to the suite's namespace: did somebody delete the namespace?"""
    if error.status in (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND):
        found = _read(cluster)
        if found is None or "deletionTimestamp" in found["metadata"]:
            return ForeignChangeError(f"somebody deleted namespace {cluster.namespace} of the suite during the run")
    return error


def remove_namespace(cluster: Cluster, *, wait: bool = True, of: str | None = None) -> str:
    """Delete the suite's namespace if a run of the suite created it and it is not in use.

    It is in use if it has pods or ConfigMaps that the suite did not create.

    Args:
        cluster: The cluster.
        wait: Whether to wait until it is gone.
        of: Id of the run that must have created it; None for any run.

    Returns:
        Why a namespace that the suite created is still there; empty if it is gone, or if others created it.

    Raises:
        ClusterError: It cannot be read or deleted.
    """
    found = _read(cluster)
    if found is None or (creator := (found["metadata"].get("labels") or {}).get(RUN_LABEL)) is None:
        return ""
    if of not in (None, creator):
        return ""
    if theirs := list(_of_others(cluster)):
        return f"namespace {cluster.namespace} of the suite stays: there is something of others ({', '.join(theirs)})"
    cluster.transport.delete(paths.namespace(cluster.namespace))
    return _await_deletion(cluster, found) if wait else ""


def _of_others(cluster: Cluster) -> Iterator[str]:
    for pod in cluster.pods(namespace=cluster.namespace):
        if pod.run is None:
            yield f"pod {pod.name}"
    everywhere = _PUBLISHED | cluster.config_maps().keys()
    for item in cluster.transport.list(paths.config_maps(cluster.namespace)):
        name, labels = item["metadata"]["name"], item["metadata"].get("labels") or {}
        if name not in everywhere and RUN_LABEL not in labels:
            yield f"ConfigMap {name}"


def _await_deletion(cluster: Cluster, found: Mapping[str, Any]) -> str:
    """Wait until the namespace is gone, which takes its content with it.

    Args:
        cluster: The cluster.
        found: The namespace, which was deleted.

    Returns:
        That it is not gone after `limits.pod_gone` real seconds, and what keeps it; empty if it is gone.
    """
    if _ends(cluster, found) or (now := _read(cluster)) is None or "deletionTimestamp" not in now["metadata"]:
        return ""
    conditions = (now.get("status") or {}).get("conditions") or ()
    said = [one.get("message", "") for one in conditions if one.get("status") == "True"]
    finalizers = now["metadata"].get("finalizers") or ()
    why = [*said, *(f"it has finalizer {name}" for name in finalizers)]
    return f"namespace {cluster.namespace} is still being deleted: {'; '.join(why) or 'the cluster does not say why'}"


def _ends(cluster: Cluster, found: Mapping[str, Any]) -> bool:
    """Wait, and return whether the namespace is gone, as far as the watch tells."""
    query = {
        "watch": "1",
        "fieldSelector": f"metadata.name={cluster.namespace}",
        "resourceVersion": found["metadata"]["resourceVersion"],
        "timeoutSeconds": str(max(1, round(cluster.limits.pod_gone))),
    }
    stream = cluster.transport.stream(paths.namespaces(), query, cluster.limits.pod_gone)
    try:
        with cluster.transport.patience.ending(stream.close):
            for line in stream:
                if (event := json.loads(line)["type"]) in ("DELETED", "ERROR"):
                    return bool(event == "DELETED")
    except UnreachableError:
        return False
    finally:
        stream.close()
    return False


def _read(cluster: Cluster) -> dict[str, Any] | None:
    try:
        return cluster.transport.get(paths.namespace(cluster.namespace))
    except ApiError as error:
        if error.not_found:
            return None
        raise ClusterError(f"cannot read namespace {cluster.namespace}: {error}") from error
