"""How pods are deleted, by the suite and by others."""

from __future__ import annotations

import threading

import pytest

from conformance.cluster import paths
from conformance.cluster.errors import InconclusiveError
from conformance.cluster.own_pods import own_pod
from conformance.operations.mig_cluster import MigCluster
from tests.cluster.stand import Stand, pod_manifest

OURS = pod_manifest("ours")
OURS["metadata"]["namespace"] = "default"


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


def test_a_pod_of_the_suite_that_somebody_deletes_before_it_has_a_node_is_told(
    stand: Stand, cluster: MigCluster
) -> None:
    pod = cluster.create_pod(OURS)
    assert own_pod(cluster, pod) == pod
    stand.hand.delete(paths.pod("default", "ours"))

    with pytest.raises(InconclusiveError, match="somebody deleted pod default/ours of the suite before it was bound"):
        cluster.wait(lambda: (now := own_pod(cluster, pod)) and now.ready, "the pod to run", 5)


@pytest.mark.parametrize("bound", [True, False], ids=["a pod of a node", "a pod that the suite deletes"])
def test_a_pod_whose_end_has_other_explanations_is_gone(bound: bool, stand: Stand, cluster: MigCluster) -> None:
    """Who deletes a pod of a node may be the product; that is judged with the timeline."""
    if bound:
        stand.pod("ours", namespace="default", node="a")
        pod = cluster.wait(lambda: cluster.pod("ours", "default"), "the pod", 2)
        stand.remove_pod("ours", "default")
    else:
        pod = cluster.create_pod(OURS)
        cluster.kill_pod(pod)
    cluster.wait(lambda: cluster.pod("ours", "default") is None, "the pod to be gone", 2)

    assert own_pod(cluster, pod) is None


def test_a_pod_that_is_deleted_before_the_watch_has_shown_it_is_returned(
    stand: Stand, cluster: MigCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its creation and its deletion may arrive together."""
    shown = threading.Event()
    find = cluster.pod

    def late(name: str, namespace: str | None = None) -> object:
        shown.set()
        return None if name == "ours" else find(name, namespace)

    monkeypatch.setattr(cluster, "pod", late)

    def delete() -> None:
        shown.wait()
        stand.hand.delete(paths.pod("default", "ours"))

    deleting = threading.Thread(target=delete)
    deleting.start()
    pod = cluster.create_pod(OURS)
    deleting.join()

    assert pod.name == "ours"
