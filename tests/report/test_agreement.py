"""However a run ended, all files agree with each other and with the exit status, and the schema accepts the report."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conformance.report.directory import REPORT_FILE, write_report
from conformance.report.exit_status import last_line
from conformance.report.outputs import WRITERS, remove_outputs, write_outputs
from conformance.report.terminal import summary
from tests.report.agreement import assert_agreement
from tests.report.kinds import KINDS

SAMPLE = Path(__file__).parents[2] / "reports" / "sample"


@pytest.mark.parametrize(
    ("kind", "verdict", "status"),
    [
        ("certified", "certified", 0),
        ("partial", "partial", 1),
        ("not_certified", "not-certified", 1),
        ("inconclusive", "inconclusive", 1),
        ("interrupted", "partial", 2),
        ("empty", "not-certified", 5),
    ],
)
def test_all_files_agree(kind: str, verdict: str, status: int, tmp_path: Path) -> None:
    report = KINDS[kind]()
    write_report(tmp_path, report)
    write_outputs(tmp_path, report)

    rows = [text for row in summary(report, tmp_path) for _, text in row.rendered()]
    output = "\n".join([*rows, last_line(report, tmp_path / REPORT_FILE)])

    assert assert_agreement(tmp_path, status, output).verdict == verdict


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("metrics.prom", "exit_status 0.0", "exit_status 1.0"),
        ("metrics.prom", 'verdict{verdict="certified"} 1.0', 'verdict{verdict="certified"} 0.0'),
        ("summary.md", "conformance: certified", "conformance: partial"),
        ("index.html", '<header class="verdict certified">', '<header class="verdict partial">'),
        ("report.json", '"exit_status": 0', '"exit_status": 1'),
    ],
)
def test_a_file_that_says_otherwise_is_noticed(name: str, old: str, new: str, tmp_path: Path) -> None:
    report = KINDS["certified"]()
    write_report(tmp_path, report)
    write_outputs(tmp_path, report)
    text = (tmp_path / name).read_text(encoding="utf-8")
    assert old in text
    (tmp_path / name).write_text(text.replace(old, new), encoding="utf-8")

    with pytest.raises(AssertionError):
        assert_agreement(tmp_path, 0)


def test_the_sample_is_made_with_this_release() -> None:
    for file in sorted(SAMPLE.glob("*/report.json")):
        status = json.loads(file.read_text(encoding="utf-8"))["exit_status"]
        assert_agreement(file.parent, status)


def test_files_of_an_earlier_run_are_removed(tmp_path: Path) -> None:
    write_outputs(tmp_path, KINDS["certified"]())
    assert {path.name for path in tmp_path.iterdir()} == set(WRITERS)

    remove_outputs(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_draft_is_left(tmp_path: Path) -> None:
    for _ in range(2):
        write_outputs(tmp_path, KINDS["certified"]())

    assert {path.name for path in tmp_path.iterdir()} == set(WRITERS)
