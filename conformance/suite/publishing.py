"""The published verdict: checked before a run begins, written at its end, removed by `--unpublish`."""

from __future__ import annotations

from contextlib import closing

from conformance.backends.backend import READ_ONLY
from conformance.backends.live import LiveBackend
from conformance.cluster import paths
from conformance.cluster.connecting import connect
from conformance.cluster.errors import ApiError, ClusterError
from conformance.cluster.transport import Transport
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.publication import CONFIG_MAP, Publication, Removal, publish, unpublish
from conformance.operations.rights import RIGHTS, Level, Place, check_rights
from conformance.spec.names import OPERATOR_NAMESPACE
from conformance.suite.options import Options
from conformance.wording import counted


def publish_verdict(options: Options, cluster: MigCluster, publication: Publication) -> list[str]:
    """Write the verdict of a run into the cluster; return what came of it, one line each."""
    namespace = options.publish_namespace or cluster.operator_namespace
    try:
        failed = publish(cluster.transport, namespace, publication)
    except ClusterError as error:
        return [f"failed: {error}"]
    nodes = counted(len(publication.nodes) - len(failed), "node")
    return [f"configmap {namespace}/{CONFIG_MAP}, an event, and annotations of {nodes}", *failed]


def remove_published(options: Options) -> Removal:
    """Remove what `--publish` wrote into a live cluster.

    The operator may be gone: nodes name the namespace, and without it that of `--publish-namespace` is searched.

    Raises:
        BackendError, ClusterError: The cluster cannot be reached, or a right is missing; nothing was changed.
    """
    backend = LiveBackend(options.kubeconfig, options.context, READ_ONLY, options.limits)
    try:
        attachment = backend.start()
        with closing(connect(attachment.kubeconfig, attachment.context, options.limits)) as transport:
            namespace = options.publish_namespace or _operator_namespace(transport)
            needed = [one for one in RIGHTS if one.level is Level.UNPUBLISH]
            check_rights(transport, needed, {Place.CLUSTER: "", Place.PUBLISHED: namespace})
            return unpublish(transport, [namespace])
    finally:
        backend.stop()


def _operator_namespace(transport: Transport) -> str:
    try:
        policies = transport.list(paths.policies())
    except ApiError:
        return OPERATOR_NAMESPACE
    named = (policy.get("status", {}).get("namespace") for policy in policies)
    return next(filter(None, named), OPERATOR_NAMESPACE)
