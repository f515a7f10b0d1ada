"""The safe protocol, against a mig-manager that does as it is told."""

from __future__ import annotations

import re

import pytest

from conformance.cluster.errors import WaitTimeout
from conformance.operations.errors import ForeignChangeError, NodeInUseError, NodeLostError
from conformance.operations.evidence import Outcome, Reconfiguration
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.reconfigure import reconfigure
from conformance.spec.names import DEVICE_PLUGIN_APP, MIG_CONFIG, MIG_CONFIG_STATE, PAUSED, State
from tests.cluster.actors import Manager, fails, hangs, has_nothing_to_do, plugin, refuses, succeeds
from tests.cluster.stand import Stand, with_manager


def writes(evidence: Reconfiguration) -> list[dict[str, str]]:
    return [change.set for change in evidence.changes]


def test_success_with_everything_that_was_seen(stand: Stand, cluster: MigCluster) -> None:
    with_manager(stand, "a")
    old = plugin(stand, "a", "plugin-0")
    cluster.wait(lambda: len(cluster.pods(node="a")) == 2, "the pods", 2)
    with Manager(stand, succeeds):
        evidence = reconfigure(cluster, {"a": "all-1g.10gb"})["a"]

    assert (evidence.outcome, evidence.state, evidence.problem) == (Outcome.SUCCESS, State.SUCCESS, "")
    assert evidence.previous == "all-disabled"
    assert writes(evidence) == [
        {MIG_CONFIG_STATE: "pending"},
        {"nvidia.com/gpu.deploy.device-plugin": PAUSED},
        {"nvidia.com/gpu.deploy.device-plugin": "true", "nvidia.com/gpu.deploy.nvsm": "true"},
        {MIG_CONFIG_STATE: "success"},
    ]
    gone, new = (life for life in evidence.pods if life.app == DEVICE_PLUGIN_APP)
    assert (gone.uid, gone.ended is not None) == (old, True)
    assert new.uid in {pod.uid for pod in evidence.pods_after}
    assert evidence.settled is not None
    assert evidence.answered is not None
    assert evidence.started < evidence.answered <= evidence.settled
    assert evidence.applied


def test_a_stale_success_is_no_answer(stand: Stand, cluster: MigCluster) -> None:
    """Nobody answers; the success of before must not count."""
    with_manager(stand, "a")
    cluster.wait(lambda: cluster.pods(node="a"), "the pod", 2)

    evidence = reconfigure(cluster, {"a": "all-1g.10gb"})["a"]

    assert (evidence.outcome, evidence.state, evidence.answered) == (Outcome.UNANSWERED, None, None)
    assert evidence.problem.startswith("no answer within 2 s, state absent")
    assert not evidence.applied


def test_the_same_value_is_asked_for_anew(stand: Stand, cluster: MigCluster) -> None:
    with_manager(stand, "a")
    cluster.wait(lambda: cluster.pods(node="a"), "the pod", 2)
    with Manager(stand, has_nothing_to_do):
        evidence = reconfigure(cluster, {"a": "all-disabled"})["a"]

    assert evidence.outcome is Outcome.SUCCESS
    assert writes(evidence) == [{MIG_CONFIG_STATE: "success"}]


def test_a_node_that_is_there_already_need_not_be_asked_again(stand: Stand, cluster: MigCluster) -> None:
    """Its label is never gone, so that no operator can set a default in between; the other node is asked."""
    stand.node("b", {MIG_CONFIG: "all-disabled", MIG_CONFIG_STATE: State.FAILED})
    for name in "ab":
        with_manager(stand, name)
    cluster.wait(lambda: len(cluster.nodes()) == 2 == len(cluster.pods()), "both nodes", 2)
    mark = cluster.timeline.mark()
    with Manager(stand, has_nothing_to_do):
        evidence = reconfigure(cluster, dict.fromkeys("ab", "all-disabled"), again=False)

    assert [evidence[node].outcome for node in "ab"] == [Outcome.KEPT, Outcome.SUCCESS]
    assert cluster.timeline.since(mark, node="a") == ()
    assert (evidence["a"].state, evidence["a"].problem, evidence["a"].seconds) == (State.SUCCESS, "", None)
    assert evidence["a"].applied


def test_a_refusal_and_a_failure_are_told_apart_and_end_the_wait(stand: Stand, cluster: MigCluster) -> None:
    with_manager(stand, "a")
    cluster.wait(lambda: cluster.pods(node="a"), "the pod", 2)
    with Manager(stand, refuses) as manager:
        refused = reconfigure(cluster, {"a": "nonsense"})["a"]
        manager.script = fails
        failed = reconfigure(cluster, {"a": "too-much"})["a"]

    assert (refused.outcome, failed.outcome) == (Outcome.REFUSED, Outcome.FAILED)
    assert "still paused: nvidia.com/gpu.deploy.device-plugin" in failed.problem
    assert refused.seconds is not None
    assert refused.seconds < 2


def test_all_nodes_at_once_each_with_its_own_answer(stand: Stand, cluster: MigCluster) -> None:
    for name in ("b", "c"):
        stand.node(name, gpu=8)
    for name in ("a", "b", "c"):
        with_manager(stand, name)
    cluster.wait(lambda: len(cluster.pods()) == 3, "the pods", 2)

    def answer(stand: Stand, node: str, configuration: str) -> None:
        {"a": succeeds, "b": refuses, "c": hangs}[node](stand, node, configuration)

    with Manager(stand, answer):
        evidence = reconfigure(cluster, dict.fromkeys("abc", "all-1g.10gb"))

    assert {node: one.outcome for node, one in evidence.items()} == {
        "a": Outcome.SUCCESS,
        "b": Outcome.REFUSED,
        "c": Outcome.UNANSWERED,
    }


def test_an_operand_that_does_not_come_back(stand: Stand, cluster: MigCluster) -> None:
    with_manager(stand, "a")
    plugin(stand, "a", "plugin-0")
    stand.label("a", **{"gpu__deploy__device-plugin": "true"})
    cluster.wait(lambda: len(cluster.pods(node="a")) == 2, "the pods", 2)

    def loses_plugin(stand: Stand, node: str, configuration: str) -> None:
        stand.label(node, mig__config__state="pending")
        stand.label(node, **{"gpu__deploy__device-plugin": PAUSED})
        stand.remove_pod("plugin-0")
        stand.label(node, **{"gpu__deploy__device-plugin": "true"})
        has_nothing_to_do(stand, node, configuration)

    with Manager(stand, loses_plugin):
        evidence = reconfigure(cluster, {"a": "all-1g.10gb"})["a"]

    assert (evidence.outcome, evidence.settled) == (Outcome.SUCCESS, None)
    assert evidence.problem == f"operands not back: {DEVICE_PLUGIN_APP}"


def test_a_crashing_operand_is_at_rest(stand: Stand, cluster: MigCluster) -> None:
    with_manager(stand, "a")
    plugin(stand, "a", "plugin-0")
    cluster.wait(lambda: len(cluster.pods(node="a")) == 2, "the pods", 2)

    def crashes(stand: Stand, node: str, configuration: str) -> None:
        succeeds(stand, node, configuration)
        stand.pod_status("plugin-a-all-balanced", ready=False, restarts=2, waiting="CrashLoopBackOff")

    with Manager(stand, crashes):
        evidence = reconfigure(cluster, {"a": "all-balanced"})["a"]

    assert evidence.settled is not None


def test_without_a_ready_manager_nothing_is_changed(stand: Stand, cluster: MigCluster) -> None:
    with pytest.raises(WaitTimeout, match="mig-manager to be Ready and idle on node a") as raised:
        reconfigure(cluster, {"a": "all-1g.10gb"})

    assert "no pod of mig-manager; state success" in str(raised.value)
    assert cluster.timeline.since(node="a") == ()
    assert stand.in_loop(lambda: True)


def test_where_the_log_may_not_be_read_a_pending_state_means_busy(stand: Stand, cluster: MigCluster) -> None:
    with_manager(stand, "a")
    stand.label("a", mig__config__state="pending")
    cluster.wait(lambda: cluster.pods(node="a"), "the pod", 2)
    cluster.wait(lambda: cluster.node("a").labels[MIG_CONFIG_STATE] == "pending", "the state", 2)

    with pytest.raises(WaitTimeout, match="Ready; state pending"):
        reconfigure(cluster, {"a": "all-1g.10gb"})


def test_pods_of_others_that_hold_gpus_are_named_and_left_alone(stand: Stand, cluster: MigCluster) -> None:
    with_manager(stand, "a")
    stand.pod("train", namespace="default", node="a", limits={"nvidia.com/gpu": "2"})
    stand.pod("web", namespace="default", node="a", limits={"cpu": "1"})
    cluster.wait(lambda: len(cluster.pods(node="a")) == 3, "the pods", 2)

    with pytest.raises(NodeInUseError, match=r"default/train on a \(nvidia.com/gpu: 2\)") as raised:
        reconfigure(cluster, {"a": "all-1g.10gb"})

    assert "web" not in str(raised.value)
    assert cluster.node("a").labels[MIG_CONFIG_STATE] == "success"


def test_a_foreign_change_ends_the_work_on_its_node(stand: Stand, cluster: MigCluster) -> None:
    with_manager(stand, "a")
    cluster.wait(lambda: cluster.pods(node="a"), "the pod", 2)

    def meddles(stand: Stand, node: str, configuration: str) -> None:
        if configuration != "theirs":
            stand.label(node, mig__config="theirs")

    with (
        Manager(stand, meddles),
        pytest.raises(NodeLostError, match=re.escape("mig.config of node a: all-1g.10gb -> theirs")),
    ):
        reconfigure(cluster, {"a": "all-1g.10gb"})


def test_a_foreign_strategy_is_noticed_in_any_wait(stand: Stand, cluster: MigCluster) -> None:
    stand.strategy("mixed")

    with pytest.raises(ForeignChangeError, match="ClusterPolicy strategy: single -> mixed"):
        cluster.wait(lambda: False, "anything", 2)


def test_own_changes_are_not_foreign(cluster: MigCluster) -> None:
    cluster.set_strategy("mixed")

    assert cluster.wait(lambda: cluster.policy().strategy == "mixed", "the strategy", 2)
    assert not cluster.observe(lambda: False, 0.1, "a complaint")


def test_the_default_that_the_operator_stamps_is_not_foreign(stand: Stand, cluster: MigCluster) -> None:
    cluster.guard.add(["a"])
    cluster.set_labels("a", {"nvidia.com/mig.config": None})
    stand.label("a", mig__config="all-disabled")

    assert not cluster.observe(lambda: False, 0.1, "a complaint")
