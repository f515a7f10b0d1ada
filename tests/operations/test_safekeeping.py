"""Journal, lease and restore: whatever happens, the cluster is as it was."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from conformance.cluster import paths
from conformance.cluster.errors import ClusterError
from conformance.operations import safekeeping
from conformance.operations.errors import LeaseHeldError
from conformance.operations.fields import policy_field
from conformance.operations.guard import Guard
from conformance.operations.journal import Journal
from conformance.operations.journal_reading import journals_in_cluster, journals_in_file
from conformance.operations.lease import LEASE_NAME, RunLease
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.namespace import ensure_namespace
from conformance.operations.reconfigure import reconfigure
from conformance.operations.restored import RestoreOutcome
from conformance.operations.safekeeping import Safekeeping
from conformance.spec.names import DEVICE_PLUGIN_APP, MIG_CONFIG, MIG_CONFIG_STATE
from tests.cluster.actors import Manager, plugin, succeeds
from tests.cluster.stand import QUICK, Stand, with_manager

NVSM = "nvidia.com/gpu.deploy.nvsm"
OWN_FILE = "version: v1\nmig-configs: {suite: [{devices: all, mig-enabled: false}]}\n"


def snapshot(stand: Stand) -> dict[str, Any]:
    nodes = stand.hand.get(paths.nodes())["items"]
    policy = stand.hand.get(paths.policy("cluster-policy"))["spec"]
    labels = {node["metadata"]["name"]: (node["metadata"]["labels"], node.get("spec")) for node in nodes}
    return {"nodes": labels, "policy": policy}


@pytest.fixture
def lived_in(stand: Stand, cluster: MigCluster) -> MigCluster:
    """Somebody's cluster: an operand switched off by hand, no nvsm label, a cordon."""
    with_manager(stand, "a")
    plugin(stand, "a", "plugin-0")
    stand.roll(DEVICE_PLUGIN_APP, desired=1)
    stand.label("a", gpu__deploy__dcgm="false", **{"gpu__deploy__device-plugin": "true"})
    stand.hand.patch(paths.node("a"), {"spec": {"unschedulable": True}})
    cluster.wait(
        lambda: cluster.node("a").unschedulable and len(cluster.pods(node="a")) == 2, "the cluster as it is", 2
    )
    return cluster


def divide() -> None:
    raise ZeroDivisionError


def interrupt() -> None:
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("end", "failure"),
    [(lambda: None, None), (divide, ZeroDivisionError), (interrupt, KeyboardInterrupt)],
    ids=["well", "failure", "Ctrl-C"],
)
def test_everything_is_put_back_whatever_the_end(
    stand: Stand, lived_in: MigCluster, end: Callable[[], None], failure: type[BaseException] | None
) -> None:
    before = snapshot(stand)
    keeping = Safekeeping(lived_in, "run-1")

    def change() -> None:
        with keeping:
            reconfigure(lived_in, {"a": "all-1g.10gb"}, settle=False)
            lived_in.set_strategy("mixed")
            lived_in.set_unschedulable("a", unschedulable=False)
            lived_in.set_labels("a", {"nvidia.com/gpu.deploy.dcgm": "true"})
            end()

    with Manager(stand, succeeds):
        if failure is None:
            change()
        else:
            with pytest.raises(failure):
                change()

    assert keeping.report is not None
    assert (keeping.report.outcome, keeping.report.differences) == (RestoreOutcome.EXACT, ())
    assert snapshot(stand) == before
    assert "mig-conformance" not in names(stand, paths.namespaces(), active=True)


def names(stand: Stand, path: str, *, active: bool = False) -> set[str]:
    items = stand.hand.get(path)["items"]
    return {i["metadata"]["name"] for i in items if not (active and "deletionTimestamp" in i["metadata"])}


def test_where_nothing_was_changed_nothing_is_put_back(cluster: MigCluster) -> None:
    keeping = Safekeeping(cluster, "run-1")
    with keeping:
        pass

    assert keeping.report is not None
    assert keeping.report.outcome is RestoreOutcome.NOT_NEEDED
    assert cluster.timeline.since(node="a") == ()


def test_what_cannot_be_put_back_is_listed(stand: Stand, lived_in: MigCluster) -> None:
    """mig-manager is gone at the end, and somebody changed an output of the operator."""
    keeping = Safekeeping(lived_in, "run-1")
    with Manager(stand, succeeds) as manager, keeping:
        reconfigure(lived_in, {"a": "all-1g.10gb"}, settle=False)
        manager.script = lambda stand, node, _: stand.label(node, mig__config__state="failed")
        stand.resources("a", gpu=7)

    assert keeping.report is not None
    assert keeping.report.outcome is RestoreOutcome.FAILED
    assert "node a: allocatable was {'nvidia.com/gpu': 8}, is {'nvidia.com/gpu': 7}" in keeping.report.differences
    assert any(line.startswith("node a: mig-manager said") for line in keeping.report.differences)
    assert f"label {MIG_CONFIG} was" not in " ".join(keeping.report.differences)


def test_the_file_in_force_is_read_and_not_taken_from_the_watch(
    stand: Stand, lived_in: MigCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A killed run had put its own file in force, which has no all-disabled; the restore has just taken it back."""
    before = snapshot(stand)
    keeping = Safekeeping(lived_in, "run-1")
    with Manager(stand, succeeds), keeping:
        body = {"metadata": {"name": "own"}, "data": {"config.yaml": OWN_FILE}}
        lived_in.create(paths.config_maps(lived_in.operator_namespace), body)
        lived_in.change(policy_field(lived_in.policy().name, "migManager", "config", "name"), "own")
        lived_in.wait(lambda: lived_in.policy().config_name == "own", "the own file", 5)
        reconfigure(lived_in, {"a": "all-1g.10gb"}, settle=False)
        late = lived_in.policy()
        monkeypatch.setattr(lived_in, "policy", lambda: late)

    assert keeping.report is not None
    assert (keeping.report.outcome, keeping.report.differences) == (RestoreOutcome.EXACT, ())
    assert snapshot(stand) == before


def test_the_file_is_back_before_the_nodes_also_where_the_strategy_comes_after_them(
    stand: Stand, lived_in: MigCluster
) -> None:
    """The suite's own file, which was in force at the kill, does not offer the configuration of before."""
    own = OWN_FILE.replace("suite:", "all-1g.10gb:")
    before = snapshot(stand)
    keeping = Safekeeping(lived_in, "run-1")
    with Manager(stand, succeeds), keeping:
        lived_in.set_strategy("mixed")
        body = {"metadata": {"name": "own"}, "data": {"config.yaml": own}}
        lived_in.create(paths.config_maps(lived_in.operator_namespace), body)
        lived_in.change(policy_field(lived_in.policy().name, "migManager", "config", "name"), "own")
        reconfigure(lived_in, {"a": "all-1g.10gb"}, settle=False)

    assert keeping.report is not None
    assert (keeping.report.outcome, keeping.report.differences) == (RestoreOutcome.EXACT, ())
    assert snapshot(stand) == before


def test_an_answer_from_the_file_of_before_is_not_the_last_word(stand: Stand, lived_in: MigCluster) -> None:
    """mig-manager refuses, is restarted with the file that was put back, and applies the label that it finds."""

    def refuses_at_first(stand: Stand, node: str, configuration: str) -> None:
        del configuration
        stand.label(node, mig__config__state="failed")
        threading.Timer(0.3, lambda: stand.label(node, mig__config__state="success")).start()

    before = snapshot(stand)
    keeping = Safekeeping(lived_in, "run-1")
    with Manager(stand, succeeds) as manager, keeping:
        reconfigure(lived_in, {"a": "all-1g.10gb"}, settle=False)
        manager.script = refuses_at_first

    assert keeping.report is not None
    assert (keeping.report.outcome, keeping.report.differences) == (RestoreOutcome.EXACT, ())
    assert snapshot(stand) == before


def test_what_is_not_put_back_stays_on_record_although_somebody_deleted_the_namespace(
    stand: Stand, lived_in: MigCluster
) -> None:
    keeping = Safekeeping(lived_in, "run-1")
    with Manager(stand, succeeds) as manager, keeping:
        reconfigure(lived_in, {"a": "all-1g.10gb"}, settle=False)
        manager.script = lambda stand, node, _: stand.label(node, mig__config__state="failed")
        stand.hand.delete(paths.namespace("mig-conformance"))

    assert keeping.report is not None
    assert keeping.report.outcome is RestoreOutcome.FAILED
    (journal,) = journals_in_cluster(lived_in)
    assert (journal.run, list(journal.entries)) == ("run-1", [paths.node("a")])


@pytest.mark.parametrize(("writer", "label_is"), [("nvidia-mig-manager", None), ("somebody", "false")])
def test_a_label_that_mig_manager_writes_again_is_still_the_suites(
    writer: str, label_is: str | None, stand: Stand, lived_in: MigCluster
) -> None:
    """At the end of a change it writes deploy labels as it read them at the start, also over what was put back."""
    keeping = Safekeeping(lived_in, "run-1")
    with keeping:
        lived_in.set_labels("a", {NVSM: "false"})
        stand.hand.manager = writer
        stand.label("a", gpu__deploy__nvsm="true")
        stand.label("a", gpu__deploy__nvsm="false")

    assert keeping.report is not None
    assert keeping.report.outcome is RestoreOutcome.EXACT
    assert stand.hand.get(paths.node("a"))["metadata"]["labels"].get(NVSM) == label_is
    assert bool(keeping.report.changed_since) == (label_is is not None)


@pytest.mark.parametrize("goes", ["before the restore", "during the restore"])
def test_a_node_that_is_not_ready_gets_its_label_back_and_is_not_awaited(
    goes: str, stand: Stand, lived_in: MigCluster
) -> None:
    """What cannot be verified keeps its journal, and a node keeps its cordon until it is as it was found."""
    stand.hand.patch(paths.node("a"), {"spec": {"unschedulable": None}})
    lived_in.limits = replace(QUICK, node_away=0.3, manager_ready=600, reconfigure=600, reboot=600)
    lived_in.guard = Guard(lived_in.timeline, lived_in.writes, 0.3)
    keeping = Safekeeping(lived_in, "run-1")
    with Manager(stand, succeeds) as manager, keeping:
        lived_in.set_unschedulable("a", unschedulable=True)
        reconfigure(lived_in, {"a": "all-1g.10gb"}, settle=False)
        manager.script = lambda stand, node, _: stand.lose(node)
        if goes == "before the restore":
            stand.lose("a")

    assert keeping.report is not None
    assert keeping.report.outcome is RestoreOutcome.FAILED
    assert keeping.report.differences == ("node a is not Ready",)
    assert keeping.report.hindered
    node = stand.hand.get(paths.node("a"))
    assert (node["metadata"]["labels"][MIG_CONFIG], node["spec"]["unschedulable"]) == ("all-disabled", True)
    (journal,) = journals_in_cluster(lived_in)
    assert paths.node("a") in journal.entries


def test_a_killed_run_is_put_back_by_the_next(stand: Stand, lived_in: MigCluster, tmp_path: Path) -> None:
    before = snapshot(stand)
    with Manager(stand, succeeds):
        ensure_namespace(lived_in, "killed")
        lived_in.journal = Journal(lived_in, "killed", holder="alice@there, process 7, run killed")
        reconfigure(lived_in, {"a": "all-1g.10gb"}, settle=False)
        begun = lived_in.journal.begun

        keeping = Safekeeping(lived_in, "next", tmp_path / "journal.jsonl")
        with keeping:
            assert snapshot(stand) == before
            reconfigure(lived_in, {"a": "all-2g.20gb"}, settle=False)

    assert keeping.report is not None
    assert keeping.report.outcome is RestoreOutcome.EXACT
    assert snapshot(stand) == before
    (line, *_) = keeping.earlier
    assert line.startswith(f"run killed of alice@there, process 7, begun {begun}, was finished: ")
    assert "configuration of node a: all-disabled" in line


def test_it_is_written_before_the_change_in_cluster_and_file(stand: Stand, cluster: MigCluster, tmp_path: Path) -> None:
    file = tmp_path / "reports" / "journal.jsonl"
    ensure_namespace(cluster, "run-1")
    journal = cluster.journal = Journal(cluster, "run-1", file)

    cluster.set_strategy("mixed")
    cluster.set_labels("a", {MIG_CONFIG: "x"})
    cluster.set_labels("a", {MIG_CONFIG: "y"})

    for (read,) in (journals_in_cluster(cluster), journals_in_file(cluster, file)):
        changes = {str(field): change for entry in read.entries.values() for field, change in entry.changes.items()}
        strategy = changes["spec.mig.strategy of clusterpolicy cluster-policy"]
        assert (strategy.original, strategy.written) == ("single", ("mixed",))
        label = changes[f"label {MIG_CONFIG} of node a"]
        assert (label.original, label.written) == ("all-disabled", ("x", "y"))
    for path in list(journal.entries):
        journal.forget(path)
    assert not file.exists()
    assert names(stand, paths.config_maps(cluster.namespace)) <= {"kube-root-ca.crt"}


def test_what_cannot_be_remembered_is_not_changed(stand: Stand, cluster: MigCluster) -> None:
    ensure_namespace(cluster, "run-1")
    journal = cluster.journal = Journal(cluster, "run-1")
    stand.hand.delete(paths.namespace(cluster.namespace))

    with pytest.raises(ClusterError, match="somebody deleted namespace mig-conformance"):
        cluster.set_labels("a", {MIG_CONFIG: "x"})

    assert snapshot(stand)["nodes"]["a"][0][MIG_CONFIG] == "all-disabled"
    assert journal.empty


def test_two_runs_exclude_each_other_and_the_holder_is_named(cluster: MigCluster) -> None:
    ensure_namespace(cluster, "x")
    first, second = RunLease(cluster, "alice@there, run 1"), RunLease(cluster, "bob@here, run 2")
    first.acquire()

    with pytest.raises(LeaseHeldError, match=r"another run is using this cluster: alice@there, run 1.*free in \d+ s"):
        second.acquire()

    first.release()
    second.acquire()
    second.release()


def test_a_lease_is_renewed(cluster: MigCluster) -> None:
    ensure_namespace(cluster, "x")
    lease = RunLease(cluster, "alice")
    lease.acquire()
    path = paths.lease(cluster.namespace, LEASE_NAME)
    first = cluster.transport.get(path)["spec"]["renewTime"]

    renewed = cluster.observe(lambda: cluster.transport.get(path)["spec"]["renewTime"] != first, 3, "renewal")

    lease.release()
    assert renewed


def test_the_lease_of_a_dead_run_is_taken_over(cluster: MigCluster) -> None:
    ensure_namespace(cluster, "x")
    dead = RunLease(cluster, "dead")
    dead._write(None)
    time.sleep(QUICK.lease)

    lease = RunLease(cluster, "alive")
    lease.acquire()
    lease.release()


def test_a_run_that_lost_its_lease_ends_and_restores_nothing(stand: Stand, cluster: MigCluster) -> None:
    keeping = Safekeeping(cluster, "run-1")

    def run() -> None:
        with keeping:
            cluster.set_labels("a", {"nvidia.com/gpu.deploy.dcgm": "false"})
            stand.hand.patch(paths.lease(cluster.namespace, LEASE_NAME), {"spec": {"holderIdentity": "thief"}})
            cluster.wait(lambda: False, "anything", 5)

    with pytest.raises(LeaseHeldError, match="thief"):
        run()

    assert keeping.report is not None
    assert keeping.report.differences == ("another run took over this cluster and puts back what this one changed",)
    assert cluster.node("a").labels["nvidia.com/gpu.deploy.dcgm"] == "false"


@pytest.mark.parametrize("at", ["ensure_namespace", "remove_leftovers", "find_journals"])
def test_a_run_that_is_interrupted_before_it_began_leaves_nothing(
    at: str, stand: Stand, lived_in: MigCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The signal comes right after the suite has created its namespace, or its lease."""
    do, calls = getattr(safekeeping, at), []

    def interrupted(*given: Any, **named: Any) -> Any:
        calls.append(do(*given, **named))
        if len(calls) == 1:
            raise KeyboardInterrupt
        return calls[-1]

    monkeypatch.setattr(safekeeping, at, interrupted)
    keeping = Safekeeping(lived_in, "run-1")
    with pytest.raises(KeyboardInterrupt):
        keeping.enter()

    assert not keeping.entered
    assert "mig-conformance" not in names(stand, paths.namespaces(), active=True)


def test_a_lease_that_was_written_before_the_interrupt_does_not_stay(
    stand: Stand, lived_in: MigCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = RunLease._write

    def interrupted(lease: RunLease, version: str | None) -> None:
        write(lease, version)
        raise KeyboardInterrupt

    monkeypatch.setattr(RunLease, "_write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        Safekeeping(lived_in, "run-1").enter()

    assert "mig-conformance" not in names(stand, paths.namespaces(), active=True)


def test_a_namespace_in_which_another_run_is_at_work_stays(stand: Stand, lived_in: MigCluster) -> None:
    with Safekeeping(lived_in, "run-1"):
        with pytest.raises(LeaseHeldError):
            Safekeeping(lived_in, "run-2").enter()
        assert "mig-conformance" in names(stand, paths.namespaces(), active=True)


@pytest.mark.parametrize(
    ("other_node", "outcome", "hindered"),
    [(False, RestoreOutcome.EXACT, False), (True, RestoreOutcome.FAILED, True)],
    ids=["that node alone", "another node waits for it"],
)
def test_what_somebody_else_s_label_keeps_from_running_is_neither_awaited_nor_blamed(
    other_node: bool, outcome: RestoreOutcome, hindered: bool, stand: Stand, lived_in: MigCluster
) -> None:
    """Operands roll from node to node, so one that cannot start on a node may keep its update from the others."""
    late = "b" if other_node else "a"
    stand.node("b", {"nvidia.com/mig.capable": "true", MIG_CONFIG: "all-disabled"}, gpu=8)
    stand.label("b", mig__config__state="success")
    with_manager(stand, "b")
    lived_in.wait(lambda: len(lived_in.nodes()) == 2 and lived_in.pods(node="b"), "the other node", 2)
    keeping = Safekeeping(lived_in, "run-1")
    with Manager(stand, succeeds), keeping:
        reconfigure(lived_in, {"a": "all-1g.10gb", "b": "all-1g.10gb"}, settle=False)
        stand.hand.manager = "kubectl-label"
        stand.label("a", **{"gpu__deploy__container-toolkit": "false"})
        stand.hand.manager = "gpu-feature-discovery"
        stand.label(late, gpu__count="7")

    report = keeping.report
    assert report is not None
    assert (report.outcome, report.hindered) == (outcome, hindered)
    if hindered:
        held_up, difference = report.differences
        assert held_up == (
            "others keep operands from running with label nvidia.com/gpu.deploy.container-toolkit of node a = false"
        )
        assert difference == "node b: label nvidia.com/gpu.count was absent, is 7"


def test_an_answer_that_somebody_had_removed_before_the_first_change_is_no_difference(
    stand: Stand, lived_in: MigCluster
) -> None:
    stand.label("a", mig__config__state=None)
    lived_in.wait(lambda: MIG_CONFIG_STATE not in lived_in.node("a").labels, "the label to be gone", 2)
    keeping = Safekeeping(lived_in, "run-1")
    with Manager(stand, succeeds), keeping:
        reconfigure(lived_in, {"a": "all-1g.10gb"}, settle=False)

    assert keeping.report is not None
    assert (keeping.report.outcome, keeping.report.differences) == (RestoreOutcome.EXACT, ())
