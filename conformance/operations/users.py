"""Finds pods of other users that hold GPUs; mig-manager ignores them (docs/reference/gpu-operator.md#guard-rails)."""

from __future__ import annotations

from collections.abc import Iterable

from conformance.cluster.observed import ObservedCluster
from conformance.cluster.pod_view import PodView
from conformance.operations.errors import NodeInUseError


def gpu_users(cluster: ObservedCluster, node: str) -> list[PodView]:
    """Return the pods on the node that request GPUs or slices and have not ended.

    Pods in the operator's namespace and pods created by the suite are left out.
    """
    return [
        pod
        for pod in cluster.pods(node=node)
        if pod.gpus and not pod.ended and pod.run is None and pod.namespace != cluster.operator_namespace
    ]


def refuse_users(cluster: ObservedCluster, nodes: Iterable[str]) -> None:
    """Raise an error if other users' pods hold GPUs of these nodes.

    Raises:
        NodeInUseError: There are such pods; the message names each of them with its node and what it holds.
    """
    held = [
        f"{pod} on {node} ({', '.join(f'{name}: {count}' for name, count in pod.gpus.items())})"
        for node in nodes
        for pod in gpu_users(cluster, node)
    ]
    if held:
        raise NodeInUseError(
            f"will not reconfigure while pods of other users hold GPUs: {'; '.join(held)}. Delete or move them, or "
            "choose other nodes with --node"
        )
