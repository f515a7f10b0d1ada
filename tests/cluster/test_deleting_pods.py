"""How pods are deleted."""

from __future__ import annotations

from conformance.cluster import paths
from conformance.operations.mig_cluster import MigCluster
from tests.cluster.stand import Stand


def test_killed_pod_stays_until_a_kubelet_has_ended_it(stand: Stand, cluster: MigCluster) -> None:
    stand.pod("busy", namespace="default", node="a")
    pod = cluster.wait(lambda: cluster.pod("busy", "default"), "the pod", 2)

    cluster.kill_pod(pod)

    cluster.wait(lambda: (now := cluster.pod("busy", "default")) and now.terminating, "the pod to terminate", 2)


def test_killed_pod_is_asked_for_its_node_as_it_is_now(stand: Stand, cluster: MigCluster) -> None:
    stand.pod("busy", namespace="default")
    as_created = cluster.wait(lambda: cluster.pod("busy", "default"), "the pod", 2)
    target = {"apiVersion": "v1", "kind": "Node", "name": "a"}
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": "busy"}, "target": target}
    stand.hand.create(f"{paths.pod('default', 'busy')}/binding", binding)
    cluster.wait(lambda: (now := cluster.pod("busy", "default")) and now.node, "the pod to be bound", 2)

    cluster.kill_pod(as_created)

    cluster.wait(lambda: (now := cluster.pod("busy", "default")) and now.terminating, "the pod to terminate", 2)


def test_killed_pod_on_a_node_that_is_not_ready_is_gone_at_once(stand: Stand, cluster: MigCluster) -> None:
    stand.pod("busy", namespace="default", node="a")
    pod = cluster.wait(lambda: cluster.pod("busy", "default"), "the pod", 2)
    stand.lose("a")
    cluster.wait(lambda: not cluster.node("a").ready, "the node not to be Ready", 2)

    cluster.kill_pod(pod)

    cluster.wait(lambda: cluster.pod("busy", "default") is None, "the pod to be gone", 2)
