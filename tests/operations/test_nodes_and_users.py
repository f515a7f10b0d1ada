"""Which nodes a run is about, and who else uses them."""

from __future__ import annotations

import pytest

from conformance.cluster.errors import ClusterError
from conformance.cluster.pod_view import RUN_LABEL
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.selection import mig_nodes
from conformance.operations.users import gpu_users
from tests.cluster.stand import Stand


@pytest.fixture
def mixed(stand: Stand, cluster: MigCluster) -> MigCluster:
    """Beside `a`, which is capable: `b` without GPUs, `c` with a GPU that cannot do MIG."""
    stand.node("b")
    stand.node("c", {"nvidia.com/gpu.present": "true", "nvidia.com/mig.capable": "false"}, gpu=1)
    cluster.wait(lambda: len(cluster.nodes()) == 3, "the nodes", 2)
    return cluster


def test_every_capable_node_or_those_named(mixed: MigCluster) -> None:
    assert [node.name for node in mig_nodes(mixed)] == ["a"]
    assert [node.name for node in mig_nodes(mixed, ["a", "a"])] == ["a"]


def test_a_named_node_that_is_not_capable(mixed: MigCluster) -> None:
    with pytest.raises(ClusterError, match=r"not MIG-capable: c \(nvidia.com/mig.capable=false\)"):
        mig_nodes(mixed, ["c"])


def test_a_named_node_that_does_not_exist(mixed: MigCluster) -> None:
    with pytest.raises(ClusterError, match="unknown node z; there are: a, b, c"):
        mig_nodes(mixed, ["z"])


def test_no_capable_node_at_all(stand: Stand, mixed: MigCluster) -> None:
    stand.label("a", mig__capable=None)
    mixed.wait(lambda: "nvidia.com/mig.capable" not in mixed.node("a").labels, "the label", 2)

    with pytest.raises(ClusterError, match=r"no MIG-capable node .* b \(no NVIDIA GPU found by the operator\)"):
        mig_nodes(mixed)


def test_who_uses_gpus(stand: Stand, cluster: MigCluster) -> None:
    gpu = {"nvidia.com/gpu": "1"}
    stand.pod("validator", node="a", limits=gpu)
    stand.pod("ours", namespace="default", node="a", limits=gpu, labels={RUN_LABEL: "x"})
    stand.pod("done", namespace="default", node="a", limits=gpu)
    stand.pod_status("done", namespace="default", ready=False, phase="Succeeded")
    stand.pod("plain", namespace="default", node="a")
    stand.pod("slice", namespace="default", node="a", limits={"nvidia.com/mig-1g.10gb": "1"})
    cluster.wait(lambda: len(cluster.pods()) == 5, "the pods", 2)
    cluster.wait(lambda: (pod := cluster.pod("done", "default")) is not None and pod.ended, "the end", 2)

    assert [pod.name for pod in gpu_users(cluster, "a")] == ["slice"]
