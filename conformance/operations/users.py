"""Pods of others that hold GPUs: mig-manager looks at none of them (docs/reference/gpu-operator.md#guard-rails)."""

from __future__ import annotations

from collections.abc import Iterable

from conformance.cluster.observed import ObservedCluster
from conformance.cluster.pod_view import PodView
from conformance.operations.errors import NodeInUseError


def gpu_users(cluster: ObservedCluster, node: str) -> list[PodView]:
    """List pods on the node that asked for GPUs or slices and have not ended.

    Left out are the operator's own pods and those made by the suite.
    """
    return [
        pod
        for pod in cluster.pods(node=node)
        if pod.gpus and not pod.ended and pod.run is None and pod.namespace != cluster.operator_namespace
    ]


def refuse_users(cluster: ObservedCluster, nodes: Iterable[str]) -> None:
    """Make sure that nobody else holds GPUs of these nodes.

    Raises:
        NodeInUseError: Names every such pod with its node and what it holds.
    """
    held = [
        f"{pod} on {node} ({', '.join(f'{name}: {count}' for name, count in pod.gpus.items())})"
        for node in nodes
        for pod in gpu_users(cluster, node)
    ]
    if held:
        raise NodeInUseError(
            f"will not reconfigure while pods of others hold GPUs: {'; '.join(held)}. End or move them, or choose "
            "other nodes with --node"
        )
