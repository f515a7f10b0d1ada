"""The journal outlives what others do to it, and what the machine of the run cannot do."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.cluster import paths
from conformance.cluster.errors import ClusterError, InconclusiveError, UnreachableError
from conformance.operations.fields import label
from conformance.operations.journal import JOURNAL_LABEL, KEY, Journal, node_of
from conformance.operations.journal_reading import find_journals, journals_in_cluster, journals_in_file
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.namespace import ensure_namespace
from conformance.operations.restored import RestoreOutcome
from conformance.operations.safekeeping import Safekeeping
from conformance.spec.names import MIG_CONFIG
from tests.cluster.stand import Stand

SUITE = "mig-conformance"
TIER, OWNER = label("a", "tier"), label("a", "owner")


def entries(stand: Stand) -> list[dict[str, Any]]:
    """The ConfigMaps of all journals."""
    found: list[dict[str, Any]] = stand.hand.list(paths.config_maps(SUITE), {"labelSelector": JOURNAL_LABEL})
    return found


def forget_all(stand: Stand) -> None:
    for one in entries(stand):
        stand.hand.delete(paths.config_map(SUITE, one["metadata"]["name"]))


def test_what_somebody_deleted_of_it_is_written_again(stand: Stand, cluster: MigCluster) -> None:
    keeping = Safekeeping(cluster, "run-1")
    with keeping:
        cluster.set_strategy("mixed")
        cluster.change(TIER, "1")
        forget_all(stand)
        cluster.change(OWNER, "1")
        (journal,) = journals_in_cluster(cluster)
        assert {node_of(path) for path in journal.entries} == {"", "a"}

    assert keeping.report is not None
    assert (keeping.report.outcome, keeping.report.differences) == (RestoreOutcome.EXACT, ())


def test_what_somebody_wrote_into_it_is_replaced(stand: Stand, cluster: MigCluster) -> None:
    keeping = Safekeeping(cluster, "run-1")
    with keeping:
        cluster.change(TIER, "1")
        (entry,) = entries(stand)
        stand.hand.patch(paths.config_map(SUITE, entry["metadata"]["name"]), {"data": {KEY: "{}"}})
        cluster.change(OWNER, "1")
        (journal,) = journals_in_cluster(cluster)
        assert {str(field) for field in journal.entries[TIER.object].changes} == {str(TIER), str(OWNER)}

    assert keeping.report is not None
    assert (keeping.report.outcome, keeping.report.differences) == (RestoreOutcome.EXACT, ())


def no_folder(folder: Path) -> None:
    """Let nothing be written to a folder, for root neither."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.write_text("a file")


def test_a_report_folder_that_cannot_be_written_prevents_a_change(cluster: MigCluster, tmp_path: Path) -> None:
    keeping = Safekeeping(cluster, "run-1", tmp_path / "reports" / "journal.jsonl")
    with keeping:
        no_folder(tmp_path / "reports")
        with pytest.raises(InconclusiveError, match="cannot write the original state to the journal, so the change"):
            cluster.change(TIER, "1")

    assert keeping.report is not None
    assert keeping.report.outcome is RestoreOutcome.NOT_NEEDED
    assert "tier" not in cluster.transport.get(TIER.object)["metadata"]["labels"]


def test_a_report_folder_that_cannot_be_written_does_not_prevent_the_restore(
    stand: Stand, cluster: MigCluster, tmp_path: Path
) -> None:
    keeping = Safekeeping(cluster, "run-1", tmp_path / "reports" / "journal.jsonl")
    with keeping:
        cluster.set_strategy("mixed")
        cluster.change(TIER, "1")
        no_folder(tmp_path / "reports")

    assert keeping.report is not None
    assert (keeping.report.outcome, keeping.report.differences) == (RestoreOutcome.EXACT, ())
    assert "tier" not in stand.hand.get(TIER.object)["metadata"]["labels"]
    assert SUITE not in {it["metadata"]["name"] for it in stand.hand.list(paths.namespaces())}


def test_a_journal_that_cannot_be_written_says_nothing_about_the_cluster(
    cluster: MigCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent(path: str, body: object) -> None:
        raise UnreachableError(f"no answer to PUT {path}: {body}")

    ensure_namespace(cluster, "run-1")
    cluster.journal = Journal(cluster, "run-1")
    monkeypatch.setattr(cluster.transport, "replace", silent)
    with pytest.raises(UnreachableError):
        cluster.change(TIER, "1")


def newer(data: dict[str, Any]) -> None:
    data["annotated"] = {"a": "1"}


def found_newer(data: dict[str, Any]) -> None:
    data["found"]["annotations"] = {"a": "1"}


def changed_newer(data: dict[str, Any]) -> None:
    data["changes"][0]["owner"] = "alice"


def no_text(data: dict[str, Any]) -> None:
    data["begun"] = 5


def no_value_of_the_suite(data: dict[str, Any]) -> None:
    data["changes"][0]["written"] = []


def no_list(data: dict[str, Any]) -> None:
    data["changes"][0]["written"] = "all-1g.10gb"


def no_keys(data: dict[str, Any]) -> None:
    data["changes"][0]["field"] = [1, 2]


@pytest.mark.parametrize(
    "edit", [newer, found_newer, changed_newer, dict.clear, no_text, no_value_of_the_suite, no_list, no_keys]
)
def test_one_of_another_version_is_left_alone(
    edit: Callable[[dict[str, Any]], None], stand: Stand, cluster: MigCluster, tmp_path: Path
) -> None:
    """What this version does not know it could not put back."""
    ensure_namespace(cluster, "run-1")
    cluster.journal = Journal(cluster, "run-1", tmp_path / "journal.jsonl")
    cluster.change(label("a", MIG_CONFIG), "all-1g.10gb")
    (entry,) = entries(stand)
    data = json.loads(entry["data"][KEY])
    edit(data)
    stand.hand.patch(paths.config_map(SUITE, entry["metadata"]["name"]), {"data": {KEY: json.dumps(data)}})
    (tmp_path / "journal.jsonl").write_text(json.dumps({"entry": data}))

    with pytest.raises(ClusterError, match="is not an entry of a journal of this version of the suite"):
        journals_in_cluster(cluster)
    with pytest.raises(ClusterError, match="line 1: not a journal of this version of the suite"):
        journals_in_file(cluster, tmp_path / "journal.jsonl")
    assert len(entries(stand)) == 1


@pytest.mark.parametrize("object_", ["/api/v1/nodes/b", "", "/api/v1/nodes sim-0"])
def test_an_entry_about_another_object_than_its_name_says_is_left_alone(
    object_: str, stand: Stand, cluster: MigCluster
) -> None:
    ensure_namespace(cluster, "run-1")
    cluster.journal = Journal(cluster, "run-1")
    cluster.change(label("a", MIG_CONFIG), "all-1g.10gb")
    (entry,) = entries(stand)
    data = json.dumps(json.loads(entry["data"][KEY]) | {"object": object_})
    stand.hand.patch(paths.config_map(SUITE, entry["metadata"]["name"]), {"data": {KEY: data}})

    found = find_journals(cluster)

    assert (found.readable, len(found.damaged)) == ((), 1)


def test_an_entry_that_is_nested_too_deeply_is_left_alone(stand: Stand, cluster: MigCluster, tmp_path: Path) -> None:
    ensure_namespace(cluster, "run-1")
    body = {"metadata": {"name": "mig-conformance-journal-x"}, "data": {KEY: "[" * 100_000}}
    stand.hand.create(paths.config_maps(SUITE), body)
    (tmp_path / "journal.jsonl").write_text("[" * 100_000 + "\n" + "{}\n")

    assert len(find_journals(cluster).damaged) == 1
    with pytest.raises(ClusterError, match="line 1: not a journal of this version of the suite"):
        journals_in_file(cluster, tmp_path / "journal.jsonl")


def test_an_object_that_somebody_changes_during_the_restore_is_not_deleted(
    stand: Stand, cluster: MigCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is deleted last, minutes after it was compared."""
    made = paths.config_map(cluster.operator_namespace, "made")
    keeping = Safekeeping(cluster, "run-1")
    with keeping:
        cluster.create(
            paths.config_maps(cluster.operator_namespace), {"metadata": {"name": "made"}, "data": {"k": "v"}}
        )
        cluster.change(TIER, "1")
        patch = cluster.patch

        def patched(path: str, *rest: Any) -> Any:
            stand.hand.patch(made, {"data": {"k": "of somebody else"}})
            return patch(path, *rest)

        monkeypatch.setattr(cluster, "patch", patched)

    assert stand.hand.get(made)["data"] == {"k": "of somebody else"}
    assert keeping.report is not None
    assert keeping.report.outcome is RestoreOutcome.EXACT
    assert any("made is not as the suite created it" in line for line in keeping.report.changed_since)
