"""Who made a change, and what a guard makes of it: on raw objects as a real server sends them."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.cluster import diff
from conformance.cluster.changes import LabelChange, PolicyChange
from conformance.cluster.timeline import Timeline
from conformance.cluster.views import daemon_set_view, node_view, policy_view
from conformance.cluster.writes import OwnWrites
from conformance.operations.errors import ForeignChangeError, NodeLostError
from conformance.operations.fields import label, overwritten_by_product
from conformance.operations.guard import Guard
from conformance.spec.names import DEPLOY_PREFIX, MIG_CONFIG, MIG_CONFIG_STATE

MINE = {"key": "mine", "effect": "NoSchedule"}
CORDONED = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


def node(version: str, labels: dict[str, str], writers: dict[str, str] | None = None) -> dict[str, Any]:
    """A node whose labels were written last by `writers` (label to field manager)."""
    fields = [
        {"manager": manager, "fieldsV1": {"f:metadata": {"f:labels": {f"f:{label}": {}}}}}
        for label, manager in (writers or {}).items()
    ]
    return {
        "metadata": {"name": "a", "uid": "u", "resourceVersion": version, "labels": labels, "managedFields": fields}
    }


def policy(version: str, strategy: str, manager: str = "helm") -> dict[str, Any]:
    fields = [
        {"manager": "gpu-operator", "time": "2026-11-24T13:00:00Z", "fieldsV1": {"f:status": {}}},
        {"manager": manager, "time": "2026-11-24T12:00:00Z", "fieldsV1": {"f:spec": {"f:mig": {}}}},
    ]
    meta = {"name": "p", "resourceVersion": version, "creationTimestamp": "2026-11-24T11:00:00Z"}
    return {"metadata": meta | {"managedFields": fields}, "spec": {"mig": {"strategy": strategy}}}


def change_node(timeline: Timeline, old: dict[str, Any], new: dict[str, Any]) -> None:
    diff.node(timeline, node_view(old), node_view(new), new)


@pytest.fixture
def timeline() -> Timeline:
    return Timeline(lambda: 1.0)


def test_the_writer_is_named(timeline: Timeline) -> None:
    new = node("2", {MIG_CONFIG: "y", "nvidia.com/x": "1"}, {"nvidia.com/x": "gfd", MIG_CONFIG: "kubectl-label"})
    change_node(timeline, node("1", {MIG_CONFIG: "x", "nvidia.com/x": "1"}), new)

    assert [change.writer for change in timeline.of(LabelChange)] == ["kubectl-label"]


def test_a_foreign_label_is_reported_with_its_writer(timeline: Timeline) -> None:
    guard = Guard(timeline, OwnWrites())
    guard.add(["a"])
    change_node(timeline, node("1", {MIG_CONFIG: "x"}), node("2", {MIG_CONFIG: "y"}, {MIG_CONFIG: "argocd"}))

    for _ in range(2):
        with pytest.raises(NodeLostError, match=r"mig.config of node a: x -> y \(by argocd, Argo CD\)"):
            guard.check("a")
    guard.check()
    guard.check("b")
    guard.forgive()
    guard.check("a")


@pytest.mark.parametrize("writer", ["gpu-operator", "nvidia-mig-manager"])
def test_what_the_product_writes_over_a_configuration_is_for_the_cases_to_judge(
    timeline: Timeline, writer: str
) -> None:
    guard = Guard(timeline, OwnWrites())
    guard.add(["a"])

    change_node(timeline, node("1", {MIG_CONFIG: "x"}), node("2", {MIG_CONFIG: "y"}, {MIG_CONFIG: writer}))

    guard.check("a")
    assert guard.trouble("a", 0) == ""


@pytest.mark.parametrize(
    ("writers", "overwritten"),
    [
        ({MIG_CONFIG: "gpu-operator"}, True),
        ({MIG_CONFIG: "kubectl-label"}, False),
        ({MIG_CONFIG: "nfd-master"}, False),
        ({}, False),
        ({DEPLOY_PREFIX + "dcgm": "gpu-operator"}, False),
    ],
)
def test_only_operator_and_mig_manager_are_taken_for_the_writer_of_a_defect(
    writers: dict[str, str], overwritten: bool
) -> None:
    raw = node("2", {MIG_CONFIG: "y", DEPLOY_PREFIX + "dcgm": "false"}, writers)

    assert overwritten_by_product(raw, label("a", MIG_CONFIG)) is overwritten
    assert not overwritten_by_product(raw, label("a", DEPLOY_PREFIX + "dcgm"))


def test_own_writes_are_known_by_their_version_even_before_the_answer(timeline: Timeline) -> None:
    writes = OwnWrites()
    guard = Guard(timeline, writes)
    guard.add(["a"])
    with writes.writing() as versions:
        change_node(timeline, node("1", {MIG_CONFIG: "x"}), node("2", {MIG_CONFIG: "y"}))
        guard.check()
        versions.add("2")

    guard.check()
    assert writes.owns("2")


def test_before_the_first_write_its_own_name_is_that_of_another_run(timeline: Timeline) -> None:
    """Later, the change may be a write whose answer was lost."""
    writes = OwnWrites()
    first, later = Guard(timeline, writes), Guard(timeline, writes)
    first.add(["a"])
    later.add(["a"])
    change_node(timeline, node("1", {MIG_CONFIG: "x"}), node("2", {MIG_CONFIG: "y"}, {MIG_CONFIG: "mig-conformance"}))

    with pytest.raises(NodeLostError, match=r"by mig-conformance, another run of this suite"):
        first.check("a")
    with writes.writing():
        pass
    later.check("a")


def test_no_failure_counts_on_a_node_that_is_in_doubt(timeline: Timeline) -> None:
    one, all_nodes = Guard(timeline, OwnWrites()), Guard(timeline, OwnWrites())
    one.doubt("a", "a run was killed")
    all_nodes.doubt("", "a run was killed")

    assert (one.trouble("a", 0), one.trouble("b", 0)) == ("a run was killed", "")
    assert all_nodes.trouble("b", 0) == "a run was killed"


def test_nodes_that_are_not_tested_may_change(timeline: Timeline) -> None:
    guard = Guard(timeline, OwnWrites())
    change_node(timeline, node("1", {MIG_CONFIG: "x"}), node("2", {MIG_CONFIG: "y"}))
    guard.check()


def test_a_foreign_strategy_is_reported_with_its_writer(timeline: Timeline) -> None:
    guard = Guard(timeline, OwnWrites())
    old, new = policy("1", "single"), policy("2", "mixed", "flux")
    diff.policy(timeline, policy_view(old), policy_view(new), new)

    assert [change.field for change in timeline.of(PolicyChange)] == ["strategy"]
    with pytest.raises(ForeignChangeError, match=r"strategy: single -> mixed \(by flux\)"):
        guard.check()


def daemon_set(generation: int, manager: str) -> dict[str, Any]:
    """A DaemonSet whose template was written last by `manager`."""
    template: dict[str, Any] = {"f:spec": {"f:template": {"f:metadata": {"f:annotations": {}}}}}
    fields = [
        {"manager": "gpu-operator", "time": "2026-11-24T12:00:00Z", "fieldsV1": {"f:spec": {"f:template": {}}}},
        {"manager": manager, "time": "2026-11-24T13:00:00Z", "fieldsV1": template},
    ]
    meta = {"name": "nvidia-dcgm", "namespace": "n", "resourceVersion": str(generation), "generation": generation}
    return {"metadata": meta | {"managedFields": fields}, "spec": {"template": {"spec": {"containers": []}}}}


@pytest.mark.parametrize(
    ("manager", "told"),
    [
        ("kubectl-rollout", "the spec of DaemonSet nvidia-dcgm changed (by kubectl-rollout)"),
        ("argocd-controller", "the spec of DaemonSet nvidia-dcgm changed (by argocd-controller, Argo CD)"),
        ("gpu-operator", ""),
    ],
)
def test_a_template_that_somebody_changes_is_trouble_on_every_node(timeline: Timeline, manager: str, told: str) -> None:
    guard = Guard(timeline, OwnWrites())
    old, new = daemon_set(1, "gpu-operator"), daemon_set(2, manager)

    diff.daemon_set(timeline, daemon_set_view(old), daemon_set_view(new), new)

    assert guard.trouble("a", 0) == guard.trouble("b", 0) == told
    assert guard.trouble("a", timeline.mark()) == told, "for the rest of the run"
    guard.check("a")


def test_a_new_spec_of_the_policy_is_trouble_if_somebody_else_wrote_it(timeline: Timeline) -> None:
    guard = Guard(timeline, OwnWrites())
    old, new = policy("1", "single"), policy("2", "single", "kubectl-edit")
    new["metadata"]["generation"] = 2

    diff.policy(timeline, policy_view(old), policy_view(new), new)

    assert guard.trouble("a", 0) == "the spec of ClusterPolicy p changed (by kubectl-edit)"
    guard.check("a")


def test_before_a_restore_everything_is_forgiven(timeline: Timeline) -> None:
    guard = Guard(timeline, OwnWrites())
    guard.add(["a"])
    change_node(timeline, node("1", {MIG_CONFIG: "x"}), node("2", {MIG_CONFIG: "y"}))
    guard.fail(ForeignChangeError("lost"))
    guard.forgive()
    guard.check()


@pytest.mark.parametrize(
    ("before", "after", "labels", "said"),
    [
        ({"unschedulable": True}, {}, {}, "node a unschedulable: True -> False (the API server does not say by whom)"),
        ({"taints": [MINE]}, {}, {}, "node a taints: mine=:NoSchedule -> none (the API server does not say by whom)"),
        ({"taints": [CORDONED]}, {}, {}, ""),
        ({"unschedulable": True}, {}, {"nvidia.com/x": "nvidia-mig-manager"}, ""),
        ({}, {"unschedulable": True}, {}, ""),
    ],
    ids=["uncordoned", "untainted", "untainted by Kubernetes", "uncordoned by mig-manager", "cordoned"],
)
def test_what_was_removed_has_no_manager(
    before: dict[str, Any], after: dict[str, Any], labels: dict[str, str], said: str, timeline: Timeline
) -> None:
    """`kubectl uncordon` leaves no name; a component of the product is known by the labels that it set with it."""
    guard = Guard(timeline, OwnWrites())
    old, new = node("1", {}), node("2", dict.fromkeys(labels, "1"), labels)
    change_node(timeline, old | {"spec": before}, new | {"spec": after})

    assert guard.trouble("a", 0) == said


def test_a_node_that_the_suite_takes_away_is_not_lost_and_no_trouble(timeline: Timeline) -> None:
    ready, away = node("1", {}), node("2", {})
    ready["status"] = {"conditions": [{"type": "Ready", "status": "True"}]}
    away["status"] = {"conditions": [{"type": "Ready", "status": "False"}]}
    guard = Guard(timeline, OwnWrites(), node_away=0.0)
    with guard.away("a"):
        change_node(timeline, ready, away)
        guard.check("a")
        change_node(timeline, away, ready)

    assert guard.trouble("a", 0) == ""
    change_node(timeline, ready, away)
    with pytest.raises(NodeLostError, match="has not been Ready"):
        guard.check("a")


def test_a_node_that_the_suite_deletes_is_not_lost(timeline: Timeline) -> None:
    guard = Guard(timeline, OwnWrites())
    with guard.away("a"):
        diff.node(timeline, node_view(node("1", {})), None, {})
    guard.check("a")

    diff.node(timeline, node_view(node("2", {})), None, {})
    with pytest.raises(NodeLostError, match="was deleted"):
        guard.check("a")


@pytest.mark.parametrize(
    ("taint", "writer", "lost"),
    [
        ({"key": "maintenance", "value": "yes", "effect": "NoSchedule"}, "kubectl-taint", True),
        ({"key": "maintenance", "effect": "NoExecute"}, "kubectl-taint", True),
        ({"key": "nvidia.com/gpu", "value": "present", "effect": "NoExecute"}, "kubectl-taint", True),
        ({"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}, "kubectl-taint", False),
        ({"key": "maintenance", "effect": "PreferNoSchedule"}, "kubectl-taint", False),
        (CORDONED, "kubectl-cordon", False),
        ({"key": "maintenance", "effect": "NoSchedule"}, "nvidia-mig-manager", False),
        ({"key": "maintenance", "effect": "NoSchedule"}, "", False),
    ],
)
def test_a_taint_of_somebody_else_that_keeps_pods_away_ends_the_work_on_the_node(
    taint: dict[str, str], writer: str, lost: bool, timeline: Timeline
) -> None:
    guard = Guard(timeline, OwnWrites())
    guard.add(["a"])
    old, new = node("1", {}), node("2", {})
    old["spec"], new["spec"] = {"taints": [MINE]}, {"taints": [MINE, taint]}
    new["metadata"]["managedFields"] = [{"manager": writer, "fieldsV1": {"f:spec": {"f:taints": {}}}}] if writer else []
    change_node(timeline, old, new)

    guard.check("b")
    if lost:
        with pytest.raises(NodeLostError, match=r"somebody else tainted node a: \S+ \(by kubectl-taint\)"):
            guard.check("a")
    else:
        guard.check("a")


@pytest.mark.parametrize(
    ("key", "value", "writer", "lost", "on_others"),
    [
        (DEPLOY_PREFIX + "device-plugin", "false", "kubectl-label", True, True),
        (DEPLOY_PREFIX + "mig-manager", "false", "argocd", True, True),
        (DEPLOY_PREFIX + "operands", "false", "kubectl-label", True, True),
        (DEPLOY_PREFIX + "device-plugin", "false", "nvidia-mig-manager", False, False),
        (DEPLOY_PREFIX + "dcgm-exporter", "false", "kubectl-label", False, False),
        (DEPLOY_PREFIX + "device-plugin", "true", "kubectl-label", False, False),
        ("nvidia.com/gpu.count", "3", "kubectl-label", False, False),
    ],
)
def test_labels_of_somebody_else_are_trouble_for_the_rest_of_the_run_and_operands_off_end_the_work(
    key: str, value: str, writer: str, lost: bool, on_others: bool, timeline: Timeline
) -> None:
    guard = Guard(timeline, OwnWrites())
    guard.add(["a"])
    change_node(timeline, node("1", {}), node("2", {key: value}, {key: writer}))
    later = timeline.mark()

    assert bool(guard.trouble("a", later)) is (writer != "nvidia-mig-manager")
    assert bool(guard.trouble("b", later)) is on_others
    guard.check("b")
    if lost:
        with pytest.raises(NodeLostError, match=r"somebody else took operands off: labels of node a: "):
            guard.check("a")
    else:
        guard.check("a")


@pytest.mark.parametrize(
    ("also", "trouble"),
    [
        ({}, "labels of node a: -mig.config.state (the API server does not say by whom)"),
        ({DEPLOY_PREFIX + "device-plugin": "paused-for-mig-change"}, ""),
    ],
)
def test_a_state_label_that_is_gone_may_have_been_removed_by_anybody_unless_its_manager_wrote_something_else(
    also: dict[str, str], trouble: str, timeline: Timeline
) -> None:
    guard = Guard(timeline, OwnWrites())
    guard.add(["a"])
    change_node(
        timeline, node("1", {MIG_CONFIG_STATE: "pending"}), node("2", also, dict.fromkeys(also, "nvidia-mig-manager"))
    )

    guard.check("a")
    assert guard.trouble("a", timeline.mark()) == trouble


def test_the_suite_may_remove_the_state_label(timeline: Timeline) -> None:
    writes = OwnWrites()
    guard = Guard(timeline, writes)
    guard.add(["a"])
    with writes.writing() as versions:
        versions.add("2")
    change_node(timeline, node("1", {MIG_CONFIG_STATE: "success"}), node("2", {}))

    assert guard.trouble("a", 0) == ""
