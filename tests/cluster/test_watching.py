"""Store, watchers and timeline against a real stream of events."""

from __future__ import annotations

import time
from pathlib import Path
from unittest import mock

import pytest

from conformance.cluster import paths
from conformance.cluster.changes import Gap, LabelChange, NodeChange, ResourceChange
from conformance.cluster.errors import ClusterError, UnreachableError, WaitTimeout
from conformance.cluster.limits import Limits
from conformance.cluster.waiting import Waiter
from conformance.operations.mig_cluster import MigCluster
from conformance.sim.apiserver import Settings
from conformance.spec.names import MIG_CONFIG, MIG_CONFIG_STATE
from tests.cluster.stand import QUICK, Forwarder, Loop, Stand, pod_manifest


def state_of(cluster: MigCluster, node: str = "a") -> str | None:
    return cluster.node(node).labels.get(MIG_CONFIG_STATE)


def test_a_value_that_lasts_a_millisecond_is_seen(stand: Stand, cluster: MigCluster) -> None:
    for state in ("pending", "rebooting", "success", "pending", "failed"):
        stand.label("a", mig__config__state=state)

    cluster.wait(lambda: state_of(cluster) == "failed", "the last state", 2)

    assert cluster.timeline.values(MIG_CONFIG_STATE, "a") == ("pending", "rebooting", "success", "pending", "failed")


def test_one_patch_is_one_change(stand: Stand, cluster: MigCluster) -> None:
    stand.label("a", mig__config="all-1g.10gb", mig__config__state=None, gpu__count="56")

    cluster.wait(lambda: state_of(cluster) is None, "the patch", 2)

    (change,) = cluster.timeline.of(LabelChange, node="a")
    assert change.set == {MIG_CONFIG: "all-1g.10gb", "nvidia.com/gpu.count": "56"}
    assert change.removed == (MIG_CONFIG_STATE,)
    assert change.before[MIG_CONFIG] == "all-disabled"
    assert change.describe() == "gpu.count=56, mig.config=all-1g.10gb, -mig.config.state"


def test_labels_of_others_are_no_change(stand: Stand, cluster: MigCluster) -> None:
    stand.hand.patch(paths.node("a"), {"metadata": {"labels": {"zone": "b"}}})

    cluster.wait(lambda: cluster.node("a").labels.get("zone") == "b", "the label", 2)

    assert cluster.timeline.since() == ()


def test_resources_of_a_node(stand: Stand, cluster: MigCluster) -> None:
    stand.resources("a", gpu=0, mig_1g__10gb=0)
    stand.resources("a", mig_1g__10gb=56)

    cluster.wait(lambda: cluster.node("a").advertised.get("nvidia.com/mig-1g--10gb"), "slices", 2)

    assert [c.describe() for c in cluster.timeline.of(ResourceChange) if c.field == "allocatable"] == [
        "allocatable nvidia.com/gpu: 8 -> 0",
        "allocatable nvidia.com/mig-1g--10gb: - -> 0",
        "allocatable nvidia.com/mig-1g--10gb: 0 -> 56",
    ]
    assert cluster.node("a").allocatable["nvidia.com/gpu"] == 0


def test_life_of_a_pod(stand: Stand, cluster: MigCluster) -> None:
    uid = stand.pod("plugin-1", node="a", app="plugin")
    stand.pod_status("plugin-1", ready=False, restarts=1, waiting="CrashLoopBackOff")
    stand.remove_pod("plugin-1")

    cluster.wait(lambda: any(life.ended for life in cluster.timeline.pods("a")), "its end", 2)

    (life,) = cluster.timeline.pods("a")
    assert (life.app, life.uid, life.restarts) == ("plugin", uid, 1)
    assert life.started is not None
    assert life.ready is not None
    assert life.ended is not None
    assert life.started <= life.ready <= life.ended
    assert cluster.pods(node="a") == []


def test_a_pod_of_the_same_name_is_another_pod(stand: Stand, cluster: MigCluster) -> None:
    stand.pod("plugin", node="a", app="plugin")
    stand.remove_pod("plugin")
    second = stand.pod("plugin", node="a", app="plugin")

    cluster.wait(lambda: [pod.uid for pod in cluster.pods(node="a")] == [second], "the second pod", 2)

    first_life, second_life = cluster.timeline.pods("a")
    assert first_life.ended is not None
    assert (second_life.uid, second_life.ended) == (second, None)


def test_a_watch_that_ends_is_resumed_without_loss(loop: Loop, tmp_path: Path) -> None:
    stand = Stand(loop, tmp_path, Settings(longest_watch_seconds=0.05))
    try:
        stand.node("a")
        with MigCluster.connect(stand.kubeconfig, limits=QUICK) as cluster:
            values = [str(number) for number in range(40)]
            for value in values:
                stand.label("a", count=value)
                time.sleep(0.01)  # spreads the changes over several watches

            cluster.wait(lambda: cluster.node("a").labels.get("nvidia.com/count") == values[-1], "the last value", 3)

            assert list(cluster.timeline.values("nvidia.com/count", "a")) == values
            assert cluster.timeline.of(Gap) == ()
    finally:
        stand.stop()


def test_where_the_server_has_forgotten_everything_is_listed_anew(loop: Loop, tmp_path: Path) -> None:
    """The watch is cut off and resumes from a version that the server no longer keeps."""
    stand = Stand(loop, tmp_path, Settings(history=2))
    try:
        stand.node("a")
        with MigCluster.connect(stand.kubeconfig, limits=QUICK) as cluster:
            for number in range(5):
                stand.label("a", count=str(number))
            cluster.wait(lambda: cluster.node("a").labels.get("nvidia.com/count") == "4", "the last value", 3)
            watcher = next(watcher for watcher in cluster._watchers if watcher._path == paths.nodes())
            watcher._version = "1"
            assert watcher._stream is not None
            watcher._stream.close()

            (gap,) = cluster.wait(lambda: cluster.timeline.of(Gap), "the gap", 3)

            stand.label("a", count="after")
            cluster.wait(lambda: cluster.node("a").labels.get("nvidia.com/count") == "after", "the value after", 3)
            assert gap.what == "nodes"
            assert cluster.timeline.values("nvidia.com/count", "a") == ("0", "1", "2", "3", "4", "after")
    finally:
        stand.stop()


def test_a_deleted_and_recreated_node(stand: Stand, cluster: MigCluster) -> None:
    stand.hand.delete(paths.node("a"))
    stand.node("a", {"nvidia.com/x": "1"})

    cluster.wait(lambda: cluster.timeline.values("nvidia.com/x", "a"), "the new node", 2)

    assert [c.describe() for c in cluster.timeline.of(NodeChange) if c.field == "present"] == [
        "present: True -> False",
        "present: False -> True",
    ]


def test_a_server_that_goes_away_ends_waits_in_bounded_time(loop: Loop, stand: Stand, tmp_path: Path) -> None:
    forwarder = Forwarder(loop, stand, tmp_path)
    with MigCluster.connect(forwarder.kubeconfig, limits=QUICK) as cluster:
        forwarder.cut()
        begun = time.monotonic()

        with pytest.raises(
            UnreachableError, match=r"no answer for \d+ s: the API server .* does not answer.*kubeconfig"
        ):
            cluster.wait(lambda: False, "nothing", 30)

        assert time.monotonic() - begun < 15


def test_a_wait_in_vain_says_everything(stand: Stand, cluster: MigCluster) -> None:
    stand.label("a", mig__config__state="pending")
    cluster.wait(lambda: state_of(cluster) == "pending", "pending", 2)

    with pytest.raises(WaitTimeout) as raised:
        cluster.wait(
            lambda: state_of(cluster) == "success",
            "mig-manager's answer",
            0.2,
            node="a",
            last_seen=lambda: f"state {state_of(cluster)}",
            look_at="kubectl logs -n gpu-operator mig-manager-a",
        )

    lines = str(raised.value).splitlines()
    assert lines[0] == "waited 0.2 s for mig-manager's answer on node a"
    assert lines[1] == "  last seen   state pending"
    assert lines[2] == "  look at     kubectl logs -n gpu-operator mig-manager-a"
    assert lines[3].startswith("  timeline  ")
    assert lines[3].endswith("s ago  mig.config.state=pending")
    assert (raised.value.node, raised.value.last_seen) == ("a", "state pending")


def test_what_must_hold_for_a_while(stand: Stand, cluster: MigCluster) -> None:
    stand.label("a", x="1")
    begun = cluster.clock.now()

    cluster.wait(lambda: cluster.node("a").labels.get("nvidia.com/x") == "1", "x", 2, hold=0.2)

    assert cluster.clock.now() - begun >= 0.2


def test_observing_that_nothing_happens(stand: Stand, cluster: MigCluster) -> None:
    def changed() -> str | None:
        return cluster.node("a").labels.get("nvidia.com/x")

    assert cluster.observe(changed, 0.1, "nothing to happen") is None
    stand.label("a", x="1")
    assert cluster.observe(changed, 2, "nothing to happen") == "1"


def test_progress_is_told(cluster: MigCluster) -> None:
    told: list[tuple[str, str | None]] = []
    cluster.progress = lambda what, node, _: told.append((what, node))

    cluster.observe(lambda: False, 0.1, "nothing", "a")

    assert told == [("nothing", "a")]


def test_unknown_node_is_named_with_those_there_are(cluster: MigCluster) -> None:
    with pytest.raises(ClusterError, match="unknown node b; there are: a"):
        cluster.node("b")


def test_a_cluster_without_the_operator(loop: Loop, tmp_path: Path) -> None:
    stand = Stand(loop, tmp_path)
    try:
        stand.hand.delete(paths.policy("cluster-policy"))
        with pytest.raises(ClusterError, match="no ClusterPolicy: is the NVIDIA GPU Operator installed"):
            MigCluster.connect(stand.kubeconfig, limits=Limits(connect=2))
    finally:
        stand.stop()


@pytest.mark.parametrize("node", ["a", ""])
def test_who_creates_a_pod_is_woken_by_changes_of_its_node_only(
    cluster: MigCluster, monkeypatch: pytest.MonkeyPatch, node: str
) -> None:
    """Woken by changes of every node, those who create pods take time nodes times changes."""
    wait = mock.Mock(side_effect=Waiter.wait)
    monkeypatch.setattr(Waiter, "wait", lambda *args, **options: wait(*args, **options))
    manifest = pod_manifest("p", node=node)
    manifest["metadata"]["namespace"] = "default"

    cluster.create_pod(manifest)

    assert [call.kwargs["node"] for call in wait.call_args_list] == [node or None]
