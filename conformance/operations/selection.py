"""Selects the nodes under test."""

from __future__ import annotations

from collections.abc import Sequence

from conformance.cluster.errors import ClusterError
from conformance.cluster.observed import ObservedCluster
from conformance.cluster.views import NodeView
from conformance.expect.label_parts import product
from conformance.spec.names import GPU_PRESENT, GPU_PRODUCT, MIG_CAPABLE
from conformance.spec.without_mig import products_without_mig


def mig_nodes(cluster: ObservedCluster, names: Sequence[str] = ()) -> list[NodeView]:
    """Return the MIG-capable nodes, sorted by name: those in `names`, or all if `names` is empty.

    A node is MIG-capable if GPU Feature Discovery labels it `nvidia.com/mig.capable=true`.

    Raises:
        ClusterError: There is no MIG-capable node, or a named node does not exist or is not MIG-capable; the message
            lists what was found.
    """
    chosen = [cluster.node(name) for name in dict.fromkeys(names)] or cluster.nodes()
    capable = [node for node in chosen if node.labels.get(MIG_CAPABLE) == "true"]
    if names and (unfit := [node for node in chosen if node not in capable]):
        raise ClusterError(f"not MIG-capable: {_described(unfit)}; {_described(cluster.nodes())}")
    if not capable:
        raise ClusterError(f"no MIG-capable node in {cluster.transport.server}: {_described(chosen) or 'no nodes'}")
    return sorted(capable, key=lambda node: node.name)


def nodes_without_mig(cluster: ObservedCluster) -> list[NodeView]:
    """Return the nodes that MIG does not concern: those without NVIDIA GPU, or whose GPUs cannot do MIG.

    A node whose product is known to be without MIG is among them whatever its labels say. One with GPUs that GPU
    Feature Discovery has not described yet is not.
    """
    return [node for node in cluster.nodes() if _is_without_mig(node)]


def _is_without_mig(node: NodeView) -> bool:
    labels, products = node.labels, {product(name) for name in products_without_mig()}
    if labels.get(MIG_CAPABLE) == "false" or labels.get(GPU_PRODUCT) in products:
        return True
    return MIG_CAPABLE not in labels and labels.get(GPU_PRESENT) != "true"


def _described(nodes: Sequence[NodeView]) -> str:
    return ", ".join(f"{node.name} ({_capability(node)})" for node in nodes)


def _capability(node: NodeView) -> str:
    if node.labels.get(GPU_PRESENT) != "true":
        return "no NVIDIA GPU found by the operator"
    return f"{MIG_CAPABLE}={node.labels.get(MIG_CAPABLE, 'absent')}"
