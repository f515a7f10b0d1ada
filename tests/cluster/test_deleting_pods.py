"""How pods are deleted."""

from __future__ import annotations

from conformance.operations.mig_cluster import MigCluster
from tests.cluster.stand import Stand


def test_killed_pod_stays_until_a_kubelet_has_ended_it(stand: Stand, cluster: MigCluster) -> None:
    stand.pod("busy", namespace="default", node="a")
    pod = cluster.wait(lambda: cluster.pod("busy", "default"), "the pod", 2)

    cluster.kill_pod(pod)

    cluster.wait(lambda: (now := cluster.pod("busy", "default")) and now.terminating, "the pod to terminate", 2)


def test_killed_pod_on_a_node_that_is_not_ready_is_gone_at_once(stand: Stand, cluster: MigCluster) -> None:
    stand.pod("busy", namespace="default", node="a")
    pod = cluster.wait(lambda: cluster.pod("busy", "default"), "the pod", 2)
    stand.lose("a")
    cluster.wait(lambda: not cluster.node("a").ready, "the node not to be Ready", 2)

    cluster.kill_pod(pod)

    cluster.wait(lambda: cluster.pod("busy", "default") is None, "the pod to be gone", 2)
