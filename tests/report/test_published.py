"""What of a report is published: the verdict, the digest of the file, and what became of each node."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from conformance.report.directory import REPORT_FILE, write_report
from conformance.report.model import NodeOutcome, Outcome
from conformance.report.published import node_outcome, publication
from tests.report.made import case, report_of, run_of, whole_run


def test_a_publication_has_the_verdict_its_reasons_and_the_digest_of_the_file(tmp_path: Path) -> None:
    failed = case("test_x.py::test_x[single-a-sim-1]", Outcome.FAILED, "D-06").model_copy(update={"node": "sim-1"})
    report = report_of(whole_run(failed))
    write_report(tmp_path, report)

    found = publication(report, tmp_path / REPORT_FILE)

    assert (found.verdict, found.good, found.time) == ("not-certified", False, report.started)
    assert (found.gpus, found.suite) == ("simulated", report.suite_version)
    assert found.headline == "not-certified, speaks of 13 of 28 requirements; 1 of 14 cases failed"
    assert found.report == f"sha256:{hashlib.sha256((tmp_path / REPORT_FILE).read_bytes()).hexdigest()}"
    assert found.nodes == {"sim-0": "untested", "sim-1": "failed"}
    assert found.summary.startswith("verdict       not-certified, ")
    assert str(tmp_path) not in found.summary
    assert "\nrestore       not needed" in found.summary


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (NodeOutcome.JUDGED, "passed"),
        (NodeOutcome.INCONCLUSIVE, "inconclusive"),
        (NodeOutcome.LEFT_OUT, "left-out"),
    ],
)
def test_a_node_that_was_not_judged_says_so(outcome: NodeOutcome, expected: str) -> None:
    passed = case("test_x.py::test_x[single-a-sim-0]", Outcome.PASSED, "D-06").model_copy(update={"node": "sim-0"})
    report = report_of(run_of(passed))
    nodes = tuple(node.model_copy(update={"outcome": outcome}) for node in report.environment.nodes)
    environment = report.environment.model_copy(update={"nodes": nodes})

    assert node_outcome(report.model_copy(update={"environment": environment}), "sim-0") == expected
