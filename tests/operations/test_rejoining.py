"""Node objects that the suite deletes: what people wrote on them comes back, also after a kill."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from conformance.cluster import paths
from conformance.operations.comparison import compare, describe
from conformance.operations.errors import NodeLostError
from conformance.operations.journal import Journal
from conformance.operations.journal_reading import journals_in_cluster, journals_in_file
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.namespace import ensure_namespace
from conformance.operations.rejoining import create_node, delete_node, put_back, rejoin_patch, standing
from conformance.operations.restore import restore
from conformance.operations.restored import Restore, RestoreOutcome
from conformance.operations.safekeeping import Safekeeping
from conformance.spec.names import MIG_CONFIG
from tests.cluster.stand import Stand

TAINT = {"key": "team", "value": "a", "effect": "NoSchedule"}
CORDON = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
REGISTERED = {"metadata": {"name": "a", "labels": {"kubernetes.io/hostname": "a"}}}
"""What kubelet registers."""
DEFAULT = {"metadata": {"labels": {MIG_CONFIG: "all-disabled"}}}


def body(labels: dict[str, str], managers: dict[str, list[str]], **spec: Any) -> dict[str, Any]:
    fields = [
        {"manager": who, "fieldsV1": {"f:metadata": {"f:labels": {f"f:{name}": {} for name in names}}}}
        for who, names in managers.items()
    ]
    return {"metadata": {"name": "a", "labels": labels, "managedFields": fields}, "spec": spec}


def test_what_components_write_again_is_not_kept() -> None:
    labels = {"mine": "1", "gpu": "1", "os": "linux", MIG_CONFIG: "all-1g.10gb"}
    managers = {"kubectl-label": ["mine", MIG_CONFIG], "gpu-operator": ["gpu"], "kubelet": ["os"]}

    kept = standing(body(labels, managers, taints=[TAINT, CORDON], unschedulable=True))

    assert kept == {"labels": {"mine": "1"}, "annotations": {}, "taints": [TAINT], "unschedulable": True}


def test_a_label_that_only_the_product_wrote_meanwhile_gets_its_former_value() -> None:
    kept = {"labels": {"off": "false", "mine": "1"}, "annotations": {}, "taints": [], "unschedulable": False}
    now = body({"off": "true", "mine": "2"}, {"gpu-operator": ["off"], "kubectl-label": ["mine"]})

    patch, stays = rejoin_patch(now, kept)

    assert patch == {"metadata": {"labels": {"off": "false"}}}
    assert stays == ["label mine of node a is 2, was 1"]


@pytest.fixture
def written_on(stand: Stand, cluster: MigCluster) -> dict[str, Any]:
    """The node with a label, an annotation, a taint and a cordon of somebody."""
    change = {
        "metadata": {"labels": {"mine": "1", "nvidia.com/gpu.deploy.dcgm": "false"}, "annotations": {"note": "b"}},
        "spec": {"taints": [TAINT], "unschedulable": True},
    }
    stand.hand.patch(paths.node("a"), change)
    cluster.wait(lambda: cluster.node("a").unschedulable, "the change", 2)
    return stand.hand.get(paths.node("a"))


def register(stand: Stand) -> None:
    """What kubelet and the operator write."""
    stand.hand.create(paths.nodes(), REGISTERED)
    stand.hand.patch(paths.node("a"), DEFAULT)


def assert_back(stand: Stand, before: dict[str, Any]) -> None:
    now = stand.hand.get(paths.node("a"))
    assert now["metadata"]["labels"].items() >= {"mine": "1", "nvidia.com/gpu.deploy.dcgm": "false"}.items()
    assert now["metadata"]["annotations"] == before["metadata"]["annotations"]
    assert (now["spec"]["taints"], now["spec"]["unschedulable"]) == ([TAINT], True)


def test_a_scenario_puts_everything_back_at_once(stand: Stand, cluster: MigCluster, written_on: dict[str, Any]) -> None:
    with Safekeeping(cluster, "run-1") as keeping:
        cluster.guard.add(["a"])
        with cluster.guard.away("a"):
            delete_node(cluster, "a")
            register(stand)
            assert put_back(cluster, "a") == ()
        cluster.wait(lambda: cluster.node("a").labels.get("mine"), "the label", 2)
        cluster.guard.check("a")

        assert_back(stand, written_on)
        assert cluster.journal is not None
        entry = cluster.journal.entries[paths.node("a")]
        assert (entry.deleted, entry.uid != written_on["metadata"]["uid"]) == (False, True)
        keeping.hurry()


def test_an_object_made_by_the_suite_has_everything_from_the_start(
    stand: Stand, cluster: MigCluster, written_on: dict[str, Any]
) -> None:
    with Safekeeping(cluster, "run-1") as keeping:
        with cluster.guard.away("a"):
            delete_node(cluster, "a")
            create_node(cluster, "a", {MIG_CONFIG: "all-1g.10gb"})

        assert_back(stand, written_on)
        assert stand.hand.get(paths.node("a"))["metadata"]["labels"][MIG_CONFIG] == "all-1g.10gb"
        keeping.hurry()


def killed_after_the_deletion(cluster: MigCluster, file: Path | None = None) -> None:
    """Record and delete as a run does that is killed then."""
    ensure_namespace(cluster, "run-0")
    cluster.journal = Journal(cluster, "run-0", file)
    delete_node(cluster, "a")
    cluster.journal = None


@pytest.mark.parametrize("from_file", [False, True])
def test_after_a_kill_the_journal_alone_puts_everything_back(
    stand: Stand, cluster: MigCluster, written_on: dict[str, Any], tmp_path: Path, *, from_file: bool
) -> None:
    file = tmp_path / "journal"
    killed_after_the_deletion(cluster, file)
    register(stand)
    (journal,) = journals_in_file(cluster, file) if from_file else journals_in_cluster(cluster)
    (shown,) = [line for entry in journal.entries.values() for line in describe(compare(cluster, entry))]

    report = restore(cluster, journal, hurried=lambda: True)

    assert "was deleted by the suite" in shown
    assert "labels, annotations, taints and cordon of node a" in report.put_back
    assert_back(stand, written_on)


def test_a_node_that_kubelet_has_not_registered_keeps_its_journal(
    stand: Stand, cluster: MigCluster, written_on: dict[str, Any]
) -> None:
    killed_after_the_deletion(cluster)
    (journal,) = journals_in_cluster(cluster)

    report: Restore = restore(cluster, journal, hurried=lambda: True)

    assert report.outcome is RestoreOutcome.FAILED
    assert any("restart kubelet there" in line for line in report.differences)
    assert not any("is gone" in line for line in report.changed_since)
    assert [one.run for one in journals_in_cluster(cluster)] == ["run-0"]
    register(stand)
    restore(cluster, *journals_in_cluster(cluster), hurried=lambda: True)
    assert_back(stand, written_on)


def test_a_node_whose_label_somebody_changed_is_not_deleted(stand: Stand, cluster: MigCluster) -> None:
    with Safekeeping(cluster, "run-1"):
        cluster.set_labels("a", {MIG_CONFIG: "all-1g.10gb"})
        stand.label("a", mig__config="all-balanced")
        with pytest.raises(NodeLostError, match="all-balanced"):
            delete_node(cluster, "a")

    assert stand.hand.get(paths.node("a"))["metadata"]["labels"][MIG_CONFIG] == "all-balanced"
