"""Others change labels, strategy, cordon, taints, pods and namespaces while the suite works, and nothing is lost."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from conformance.cluster import paths
from conformance.cluster.errors import ApiError, ClusterError, InconclusiveError
from conformance.cluster.pod_view import RUN_LABEL
from conformance.operations import safekeeping
from conformance.operations.comparison import Comparison
from conformance.operations.errors import ForeignChangeError
from conformance.operations.fields import Field, cordon, label, look_up, policy_field
from conformance.operations.journal import JOURNAL_LABEL, KEY, entry_name
from conformance.operations.journal_reading import find_journals
from conformance.operations.leftovers import remove_leftovers
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.reconfigure import reconfigure_node
from conformance.operations.restore import restore
from conformance.operations.restored import Restore, RestoreOutcome
from conformance.operations.safekeeping import Safekeeping
from conformance.operations.verification import Verification, verify
from conformance.spec.names import MIG_CONFIG, MIG_CONFIG_STATE
from tests.cluster.actors import Manager, plugin, succeeds
from tests.cluster.stand import QUICK, Loop, Stand, pod_manifest, with_manager

POLICY = "cluster-policy"
SUITE = "mig-conformance"
NODES = ("a", "b")
STRATEGY = policy_field(POLICY, "mig", "strategy")
DCGM, NVSM = "nvidia.com/gpu.deploy.dcgm", "nvidia.com/gpu.deploy.nvsm"
# What others set is never what the suite sets in the same field: the embedded server does not record who wrote a value.
THEIR_LABELS = st.one_of(
    st.tuples(st.just(MIG_CONFIG), st.sampled_from(["all-disabled", "all-3g.40gb", None])),
    st.tuples(st.just(DCGM), st.sampled_from(["false", None])),
    st.tuples(st.sampled_from(["nvidia.com/owner", "example.com/tier"]), st.sampled_from(["1", "2", None])),
)
node = st.sampled_from(NODES)


class Others(RuleBasedStateMachine):
    """The suite and others in any order, then the end of the run, or a kill and the next run."""

    loop: Loop

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        self.theirs: dict[Field, object] = {}
        self.unanswered: set[str] = set()
        self.pods: set[tuple[str, str]] = set()
        self.namespaces: set[str] = set()
        self.count = 0

    @initialize()
    def begin(self) -> None:
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.stand = Stand(self.loop, folder)
        self.stack.callback(self.stand.stop)
        for name in NODES:
            self.stand.node(name, {"nvidia.com/mig.capable": "true", MIG_CONFIG: "all-disabled"}, gpu=8)
            self.stand.label(name, mig__config__state="success", gpu__deploy__dcgm="true")
            self.stand.label(name, **{"gpu__deploy__device-plugin": "true"})
            with_manager(self.stand, name)
            plugin(self.stand, name, f"plugin-{name}-0")
        self.manager = self.stack.enter_context(Manager(self.stand, succeeds))
        self.found = {field: self.now(field) for field in self.fields()}
        self.cluster = self.connect()
        self.file = folder / "journal.jsonl"
        self.keeping = Safekeeping(self.cluster, "run-1", self.file).enter()

    def connect(self) -> MigCluster:
        return self.stack.enter_context(MigCluster.connect(self.stand.kubeconfig, limits=QUICK))

    @staticmethod
    def fields() -> list[Field]:
        keys = (MIG_CONFIG, MIG_CONFIG_STATE, DCGM, NVSM, "nvidia.com/owner", "example.com/tier")
        return [STRATEGY, *(label(name, key) for name in NODES for key in keys), *map(cordon, NODES)]

    def now(self, field: Field) -> object:
        return look_up(self.stand.hand.get(field.object), field.keys)

    # The suite -----------------------------------------------------------------------------------------------------

    @rule(name=node, configuration=st.sampled_from(["all-1g.10gb", "all-2g.20gb"]))
    def suite_reconfigures(self, name: str, configuration: str) -> None:
        try:
            reconfigure_node(self.cluster, name, configuration, settle=False)
        except ClusterError:
            self.unanswered.add(paths.node(name))

    @precondition(lambda self: STRATEGY not in self.theirs)  # the guard would have ended the run
    @rule(strategy=st.sampled_from(["mixed", "single"]))
    def suite_sets_strategy(self, strategy: str) -> None:
        with suppress(ClusterError):
            self.cluster.set_strategy(strategy)

    @rule(name=node)
    def suite_cordons_and_sets_its_witness(self, name: str) -> None:
        with suppress(ClusterError):
            self.cluster.change_all({cordon(name): True, label(name, NVSM): "false"})

    # Others --------------------------------------------------------------------------------------------------------

    def they_set(self, field: Field, value: object) -> None:
        if self.now(field) == value:
            return  # the API server sees no change
        write_as(self.stand, field, value)
        self.theirs[field] = value

    @rule(name=node, change=THEIR_LABELS)
    def others_label(self, name: str, change: tuple[str, str | None]) -> None:
        self.they_set(label(name, change[0]), change[1])

    @rule(strategy=st.sampled_from(["none", None]))
    def others_set_strategy(self, strategy: str | None) -> None:
        self.they_set(STRATEGY, strategy)

    @rule(name=node)
    def others_uncordon(self, name: str) -> None:
        self.they_set(cordon(name), None)

    @precondition(lambda self: not any(field.is_cordon for field in self.theirs))
    @rule(name=node)
    def others_cordon(self, name: str) -> None:
        self.they_set(cordon(name), True)

    @rule(name=node)
    def others_taint(self, name: str) -> None:
        taint = {"key": "example.com/mine", "effect": "NoSchedule"}
        self.they_set(Field(paths.node(name), ("spec", "taints")), [taint])

    @rule(namespace=st.sampled_from(["default", SUITE]))
    def others_start_a_pod(self, namespace: str) -> None:
        self.count += 1
        with suppress(ApiError):  # somebody deleted the namespace
            self.stand.hand.create(paths.pods(namespace), pod_manifest(f"theirs-{self.count}"))
            self.pods.add((namespace, f"theirs-{self.count}"))

    @rule()
    def others_make_a_namespace(self) -> None:
        self.count += 1
        meta = {"name": f"theirs-{self.count}"}
        self.stand.hand.create(paths.namespaces(), {"apiVersion": "v1", "kind": "Namespace", "metadata": meta})
        self.namespaces.add(meta["name"])

    @rule()
    def others_delete_the_namespace_of_the_suite(self) -> None:
        self.stand.hand.delete(paths.namespace(SUITE))
        self.pods = {(namespace, name) for namespace, name in self.pods if namespace != SUITE}

    # The end -------------------------------------------------------------------------------------------------------

    @rule()
    def the_run_is_killed_and_another_puts_back(self) -> None:
        """Without the lease of the killed run, which would have expired by then."""
        self.keeping._lease._stopped.set()
        self.keeping._lease._thread.join()
        with suppress(ApiError):
            self.stand.hand.delete(paths.lease(SUITE, SUITE))
        self.cluster.close()
        self.cluster = self.connect()
        applied = Safekeeping(self.cluster, f"restore-{self.count}")
        with applied.finishing(self.file if self.file.exists() else None):
            pass
        assert applied.unfinished == {}
        after = Safekeeping(self.cluster, f"run-after-{self.count}", self.file.with_suffix(f".{self.count}")).enter()
        after.earlier += applied.earlier
        self.count += 1
        self.check()
        self.keeping, self.file = after, self.file.with_suffix(f".{self.count - 1}")

    def teardown(self) -> None:
        try:
            if hasattr(self, "keeping"):
                self.keeping.__exit__(None, None, None)
                self.check()
                report = self.keeping.report
                assert report is not None
                assert report.outcome is not RestoreOutcome.FAILED, report.differences
        finally:
            self.stack.close()

    def may_still_work(self, field: Field) -> bool:
        """Whether mig-manager of the node may still work: others asked it, or the suite was interrupted."""
        return field.object in self.unanswered or label(field.object.rpartition("/")[2], MIG_CONFIG) in self.theirs

    def check(self) -> None:
        for field in {**self.found, **self.theirs}:
            if field in self.theirs:
                assert self.now(field) == self.theirs[field], f"{field}: theirs is lost"
            elif field.label not in (NVSM, MIG_CONFIG_STATE) or not self.may_still_work(field):
                assert self.now(field) == self.found[field], f"{field} is not put back"
        for namespace, name in self.pods:
            assert self.stand.hand.get(paths.pod(namespace, name))
        for name in self.namespaces:
            assert self.stand.hand.get(paths.namespace(name))


@pytest.mark.parametrize("examples", [12])
def test_no_change_of_others_is_lost(loop: Loop, examples: int) -> None:
    machine = type("OthersOnThisLoop", (Others,), {"loop": loop})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=examples,
            stateful_step_count=8,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.reuse, Phase.generate],
        ),
    )


def test_what_others_asked_of_a_node_before_the_suite_did_is_put_back(loop: Loop) -> None:
    """The run had read the node before: what it found there belongs to another configuration, and is no difference."""
    machine = type("OthersOnThisLoop", (Others,), {"loop": loop})()
    try:
        machine.begin()
        machine.others_label(name="a", change=(MIG_CONFIG, None))
        machine.suite_reconfigures(name="b", configuration="all-1g.10gb")
        machine.suite_reconfigures(name="a", configuration="all-2g.20gb")
        machine.the_run_is_killed_and_another_puts_back()
        told = " ".join(machine.keeping.earlier)
    finally:
        machine.teardown()

    assert "label nvidia.com/mig.config of node a was absent when the suite set it, was all-disabled" in told


def test_an_answer_of_mig_manager_that_somebody_removed_is_no_difference(loop: Loop) -> None:
    """mig-manager writes it once, after each change of `mig.config`: a restore that awaited it would fail."""
    machine = type("OthersOnThisLoop", (Others,), {"loop": loop})()
    try:
        machine.begin()
        machine.suite_cordons_and_sets_its_witness(name="a")
        machine.they_set(label("a", MIG_CONFIG_STATE), None)
    finally:
        machine.teardown()

    report = machine.keeping.report
    assert report.outcome is RestoreOutcome.EXACT
    (since,) = report.changed_since
    assert since.startswith("label nvidia.com/mig.config.state of node a was success, and was removed (the API server")


def test_a_node_that_somebody_deletes_during_the_restore_is_no_difference(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the comparison and the check: every step may find that it is gone."""
    machine = type("OthersOnThisLoop", (Others,), {"loop": loop})()

    def delete_first(cluster: MigCluster, compared: list[Comparison]) -> Verification:
        machine.stand.hand.delete(paths.node("a"))
        cluster.wait(lambda: cluster.find_node("a") is None, "the end of the node", 10)
        return verify(cluster, compared)

    monkeypatch.setattr("conformance.operations.restore.verify", delete_first)
    try:
        machine.begin()
        for name in NODES:
            machine.suite_reconfigures(name=name, configuration="all-1g.10gb")
        machine.keeping.__exit__(None, None, None)
    finally:
        machine.stack.close()

    report = machine.keeping.report
    assert (report.outcome, report.differences) == (RestoreOutcome.EXACT, ())
    assert "node a is gone" in report.changed_since


@pytest.fixture
def machine(loop: Loop) -> Iterator[Others]:
    """A run that has reconfigured node a; the test acts, and ends the run with `restored`."""
    machine: Others = type("OthersOnThisLoop", (Others,), {"loop": loop})()
    try:
        machine.begin()
        machine.suite_reconfigures(name="a", configuration="all-1g.10gb")
        yield machine
    finally:
        machine.stack.close()


def restored(machine: Others) -> Restore:
    machine.keeping.__exit__(None, None, None)
    assert machine.keeping.report is not None
    return machine.keeping.report


def test_a_gpu_pod_that_keeps_a_node_from_being_put_back_is_no_difference(machine: Others) -> None:
    machine.stand.pod("train", namespace="default", node="a", limits={"nvidia.com/gpu": "1"})
    machine.cluster.wait(lambda: machine.cluster.pods(namespace="default"), "the pod", 10)

    report = restored(machine)

    assert report.hindered
    assert report.differences[0].startswith("node a keeps its current configuration: pods of other users hold GPUs")


def test_differences_are_no_finding_where_others_changed_what_concerns_every_node(machine: Others) -> None:
    """The device plugin is switched off: the node advertises nothing, and that is why."""
    policy = policy_field(POLICY, "devicePlugin", "enabled")
    write_as(machine.stand, policy, False)
    machine.stand.resources("a", gpu=0)

    report = restored(machine)

    assert report.hindered
    assert any(line.startswith("node a: allocatable was") for line in report.differences)


@pytest.mark.parametrize("key", ["nvidia.com/gpu.team", "nvidia.com/mig.owner"])
def test_a_label_of_somebody_else_in_the_namespace_of_the_product_stays_and_is_named(machine: Others, key: str) -> None:
    write_as(machine.stand, label("a", key), "blue")

    report = restored(machine)

    assert report.outcome is RestoreOutcome.EXACT
    assert report.changed_since == (f"label {key} of node a is blue (by somebody), was absent",)


@pytest.mark.parametrize(("value", "told"), [("no", "no (by somebody)"), (None, "absent")])
def test_a_deploy_label_takes_an_operand_off_with_every_value_but_one(
    machine: Others, value: str | None, told: str
) -> None:
    key = "nvidia.com/gpu.deploy.device-plugin"
    machine.suite_cordons_and_sets_its_witness(name="b")
    write_as(machine.stand, label("b", key), value)
    machine.stand.resources("b", gpu=0)

    report = restored(machine)

    assert report.outcome is RestoreOutcome.EXACT
    assert f"label {key} of node b is {told}, was true" in report.changed_since


def test_a_value_of_the_suite_that_somebody_else_applied_too_is_theirs(machine: Others) -> None:
    """`kubectl apply --server-side` of what is there already: the server records two owners."""
    field = label("a", MIG_CONFIG)
    machine.stand.hand._json(
        "PATCH",
        field.object,
        body={"apiVersion": "v1", "kind": "Node", "metadata": {"name": "a", "labels": {MIG_CONFIG: "all-1g.10gb"}}},
        query={"fieldManager": "flux"},
        content="application/apply-patch+yaml",
    )

    report = restored(machine)

    assert machine.now(field) == "all-1g.10gb"
    assert report.changed_since[0].startswith(f"{field} is all-1g.10gb (by flux)")


@pytest.mark.parametrize("ready", [True, False], ids=["Ready", "not Ready"])
def test_without_a_policy_all_that_the_suite_wrote_is_put_back_and_nothing_is_awaited(
    machine: Others, ready: bool
) -> None:
    machine.suite_cordons_and_sets_its_witness(name="a")
    if not ready:
        machine.stand.lose("a")
        machine.cluster.wait(lambda: not machine.cluster.node("a").ready, "the node not to be Ready", 10)
    machine.stand.hand.delete(paths.policy(POLICY))
    with suppress(ForeignChangeError):  # once it is seen
        machine.cluster.wait(lambda: not machine.cluster.policies(), "the end of the policy", 10)

    report = restored(machine)

    assert (report.outcome, report.differences) == (RestoreOutcome.EXACT, ())
    assert [machine.now(it) for it in (label("a", MIG_CONFIG), cordon("a"))] == ["all-disabled", None]
    (since,) = report.changed_since
    assert since.startswith("there is no ClusterPolicy any more: labels and cordon of node a are back, and ")


def test_a_node_that_had_no_configuration_has_none_either_without_a_policy(machine: Others) -> None:
    field = label("b", MIG_CONFIG)
    machine.stand.hand.patch(paths.node("b"), {"metadata": {"labels": {MIG_CONFIG: None, MIG_CONFIG_STATE: None}}})
    machine.cluster.wait(lambda: MIG_CONFIG not in machine.cluster.node("b").labels, "the label to be gone", 10)
    machine.suite_reconfigures(name="b", configuration="all-1g.10gb")
    assert machine.now(field) == "all-1g.10gb"
    machine.stand.hand.delete(paths.policy(POLICY))
    with suppress(ForeignChangeError):
        machine.cluster.wait(lambda: not machine.cluster.policies(), "the end of the policy", 10)

    report = restored(machine)

    assert (report.outcome, report.differences) == (RestoreOutcome.EXACT, ())
    assert (machine.now(field), machine.now(label("b", MIG_CONFIG_STATE))) == (None, None)


@pytest.mark.parametrize("crd", [False, True], ids=["no ClusterPolicy", "no such resource"])
def test_a_killed_run_is_put_back_although_the_operator_is_uninstalled(machine: Others, crd: bool) -> None:
    machine.suite_cordons_and_sets_its_witness(name="a")
    kill(machine)
    machine.stand.hand.delete(paths.policy(POLICY))
    if crd:
        crds = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
        machine.stand.hand.delete(f"{crds}/clusterpolicies.nvidia.com")
    connected = MigCluster.connect(machine.stand.kubeconfig, limits=QUICK, without_operator=True)
    cluster = machine.stack.enter_context(connected)

    keeping = Safekeeping(cluster, "restore")
    with keeping.finishing(None):
        pass

    assert (keeping.unfinished, keeping.damaged) == ({}, ())
    assert [machine.now(it) for it in (label("a", MIG_CONFIG), cordon("a"))] == ["all-disabled", None]
    assert "changed since by others: there is no ClusterPolicy any more" in keeping.earlier[-1]


def test_a_policy_that_somebody_deletes_while_a_killed_run_is_put_back_ends_nothing(
    machine: Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A GitOps controller may create it again a moment later."""
    kill(machine)
    cluster = machine.cluster = machine.connect()
    remove = remove_leftovers

    def removed(*given: Any, **named: Any) -> None:
        machine.stand.hand.delete(paths.policy(POLICY))
        cluster.wait(lambda: not cluster.policies(), "the end of the policy", 10)
        remove(*given, **named)

    monkeypatch.setattr(safekeeping, "remove_leftovers", removed)
    keeping = Safekeeping(cluster, "restore")
    with keeping.finishing(None):
        pass

    assert keeping.unfinished == {}
    assert machine.now(label("a", MIG_CONFIG)) == "all-disabled"


def kill(machine: Others) -> None:
    """The run is gone, and its lease has expired."""
    machine.keeping._lease._stopped.set()
    machine.keeping._lease._thread.join()
    machine.stand.hand.delete(paths.lease(SUITE, SUITE))
    machine.cluster.close()


def test_a_journal_whose_labels_somebody_removed_is_read_and_not_removed(machine: Others) -> None:
    kill(machine)
    for one in machine.stand.hand.list(paths.config_maps(SUITE), {"labelSelector": JOURNAL_LABEL}):
        path = paths.config_map(SUITE, one["metadata"]["name"])
        machine.stand.hand.patch(path, {"metadata": {"labels": {JOURNAL_LABEL: None}}})
    machine.cluster = machine.connect()

    keeping = Safekeeping(machine.cluster, "restore")
    with keeping.finishing(None):
        pass

    assert machine.now(label("a", MIG_CONFIG)) == "all-disabled"
    assert "was finished" in keeping.earlier[0]


@pytest.mark.parametrize("has_file", [False, True], ids=["in the cluster alone", "with the local copy"])
def test_a_damaged_entry_does_not_hide_the_others(machine: Others, has_file: bool) -> None:
    machine.suite_reconfigures(name="b", configuration="all-1g.10gb")
    kill(machine)
    name = entry_name("run-1", paths.node("a"))
    machine.stand.hand.patch(paths.config_map(SUITE, name), {"data": {KEY: "{"}})
    machine.cluster = machine.connect()

    keeping = Safekeeping(machine.cluster, "restore")
    with keeping.finishing(machine.file if has_file else None):
        pass

    assert [machine.now(label(node, MIG_CONFIG)) for node in NODES] == [
        "all-disabled" if has_file else "all-1g.10gb", "all-disabled",
    ]  # fmt: skip
    assert len([line for line in keeping.earlier if "was finished" in line]) == 1
    if has_file:
        assert (keeping.damaged, machine.file.exists()) == ((), False)
    else:
        assert keeping.damaged[0].startswith(f"ConfigMap {name} in namespace {SUITE} is not an entry of a journal")
        assert machine.stand.hand.get(paths.config_map(SUITE, name))["data"] == {KEY: "{"}


def test_an_older_local_copy_hides_nothing_that_is_in_the_cluster(machine: Others) -> None:
    """It lacks what the run changed after it was copied."""
    copy = machine.file.read_bytes()
    machine.suite_cordons_and_sets_its_witness(name="a")
    kill(machine)
    machine.file.write_bytes(copy)
    machine.cluster = machine.connect()

    with Safekeeping(machine.cluster, "restore").finishing(machine.file):
        pass

    assert (machine.now(label("a", MIG_CONFIG)), machine.now(cordon("a"))) == ("all-disabled", None)


def test_a_local_copy_is_not_forgotten_with_the_journal_of_another_run(machine: Others) -> None:
    """The journal in the cluster is of another run than the local copy, whose namespace somebody deleted meanwhile."""
    kill(machine)
    machine.stand.hand.delete(paths.config_map(SUITE, entry_name("run-1", paths.node("a"))))
    machine.cluster = machine.connect()
    before = Safekeeping(machine.cluster, "run-2").enter()
    machine.cluster.set_labels("b", {NVSM: "false"})
    machine.keeping = before
    kill(machine)
    machine.cluster = machine.connect()

    found = find_journals(machine.cluster, machine.file)
    for journal in found.readable:
        if journal.run == "run-2":
            restore(machine.cluster, journal)

    assert [journal.run for journal in found.readable] in (["run-1", "run-2"], ["run-2", "run-1"])
    assert machine.file.exists()


def test_a_namespace_that_somebody_keeps_from_going_away_is_told(
    machine: Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine.cluster, "limits", replace(QUICK, pod_gone=0.5))
    theirs = paths.config_map(SUITE, "theirs")
    published = {"metadata": {"name": "theirs"}}
    machine.stand.hand.create(paths.config_maps(machine.cluster.operator_namespace), published)
    body = {"metadata": {"name": "theirs", "finalizers": ["example.com/hold"]}}
    machine.stand.hand.create(paths.config_maps(SUITE), body)

    report = restored(machine)

    assert (report.outcome, report.differences) == (RestoreOutcome.EXACT, ())
    assert report.changed_since[-1] == (
        "namespace mig-conformance is still being deleted: Some resources are remaining: configmaps. has 1 resource "
        "instances; Some content in the namespace has finalizers remaining: example.com/hold in 1 resource instances"
    )
    with pytest.raises(InconclusiveError, match=r"is still being deleted: .*; remove what keeps it, then try again"):
        Safekeeping(machine.cluster, "run-2").enter()

    machine.stand.hand.patch(theirs, {"metadata": {"finalizers": None}})


def test_a_namespace_in_which_somebody_has_a_config_map_stays_and_is_named(machine: Others) -> None:
    machine.stand.hand.create(paths.config_maps(SUITE), {"metadata": {"name": "theirs"}})
    for namespace in (SUITE, machine.cluster.operator_namespace):
        machine.stand.hand.create(paths.config_maps(namespace), {"metadata": {"name": "in-every-namespace"}})

    report = restored(machine)

    assert report.outcome is RestoreOutcome.EXACT
    assert report.changed_since[-1] == (
        "namespace mig-conformance of the suite stays: there is something of others (ConfigMap theirs)"
    )
    assert machine.stand.hand.get(paths.config_map(SUITE, "theirs"))


def test_a_policy_that_somebody_deletes_while_an_answer_is_awaited_ends_the_wait(
    machine: Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    """mig-manager was about to answer, and is gone with the operator."""
    monkeypatch.setattr(machine.cluster, "limits", replace(QUICK, reconfigure=60.0))
    monkeypatch.setattr(machine.manager, "script", lambda *_: machine.stand.hand.delete(paths.policy(POLICY)))
    begun = time.monotonic()

    report = restored(machine)

    assert (report.outcome, report.differences) == (RestoreOutcome.EXACT, ())
    assert time.monotonic() - begun < 30
    assert machine.now(label("a", MIG_CONFIG)) == "all-disabled"


def test_a_policy_created_from_a_copy_of_that_of_the_run_stays_and_its_values_are_named(machine: Others) -> None:
    machine.cluster.set_strategy("mixed")
    copy = machine.stand.hand.get(paths.policy(POLICY))
    machine.stand.hand.delete(paths.policy(POLICY))
    meta = {"name": POLICY}
    machine.stand.hand.create(paths.policies(), {**copy, "metadata": meta})

    report = restored(machine)

    told = "; it has values of the suite: spec.mig.strategy of clusterpolicy cluster-policy is mixed, was "
    assert any(told in line for line in report.changed_since)


def test_a_daemon_set_that_somebody_restarted_is_no_difference_for_whoever_finishes_the_run(
    machine: Others,
) -> None:
    """Its pods may be replaced by hand only (`OnDelete`, as those of the driver): nobody knows when."""
    name = "nvidia-device-plugin-daemonset"
    machine.stand.roll(name, desired=2)
    machine.cluster.wait(lambda: (it := machine.cluster.daemon_set(name)) and it.rolled, "the DaemonSet", 10)
    machine.cluster.set_strategy("mixed")
    path = f"{paths.daemon_sets('gpu-operator')}/{name}"
    annotations = ("spec", "template", "metadata", "annotations")
    write_as(machine.stand, Field(path, annotations), {"kubectl.kubernetes.io/restartedAt": "now"}, "kubectl-rollout")
    kill(machine)
    machine.cluster = machine.connect()

    keeping = Safekeeping(machine.cluster, "restore")
    with keeping.finishing(None):
        pass

    assert keeping.unfinished == {}
    assert f"DaemonSet {name} has not rolled out: 2 of 2" in " ".join(keeping.earlier)
    assert "kubectl-rollout changed it" in " ".join(keeping.earlier)


def test_a_namespace_in_which_somebody_has_a_pod_stays_and_is_named(machine: Others) -> None:
    machine.stand.pod("theirs", namespace=SUITE, node="a")
    machine.cluster.wait(lambda: machine.cluster.pod("theirs", SUITE), "the pod", 10)

    report = restored(machine)

    assert report.outcome is RestoreOutcome.EXACT
    assert report.changed_since[-1] == (
        "namespace mig-conformance of the suite stays: there is something of others (pod theirs)"
    )


def test_a_pod_of_the_suite_that_somebody_keeps_is_no_difference(
    machine: Others, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine.cluster, "limits", replace(QUICK, pod_gone=0.5))
    manifest = pod_manifest("ours", node="a", labels={RUN_LABEL: "run-1"})
    manifest["metadata"]["finalizers"] = ["example.com/hold"]
    machine.cluster.create_pod(manifest)

    with pytest.raises(InconclusiveError, match="somebody else keeps pod mig-conformance/ours with finalizer example"):
        remove_leftovers(machine.cluster)


def test_a_log_of_a_pod_of_the_suite_that_somebody_deleted_is_no_error_of_the_suite(machine: Others) -> None:
    pod = machine.cluster.create_pod(pod_manifest("ours", node="a", labels={RUN_LABEL: "run-1"}))
    machine.stand.remove_pod("ours", SUITE)

    with pytest.raises(InconclusiveError, match="somebody deleted pod mig-conformance/ours of the suite"):
        machine.cluster.logs(pod)


def write_as(stand: Stand, field: Field, value: object, manager: str = "somebody") -> None:
    patch: Any = value
    for key in reversed(field.keys):
        patch = {key: patch}
    stand.hand._json(
        "PATCH", field.object, body=patch, query={"fieldManager": manager}, content="application/merge-patch+json"
    )
