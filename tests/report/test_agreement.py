"""However a run ended, all files agree with each other and with the exit status, and the schema accepts the report."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from prometheus_client.parser import text_string_to_metric_families

from conformance.report.directory import REPORT_FILE, write_report
from conformance.report.exit_status import last_line
from conformance.report.outputs import WRITERS, remove_outputs, write_outputs
from conformance.report.schema import SCHEMA_FILE
from conformance.report.terminal import summary
from conformance.report.validation import problems, read_report
from tests.report.kinds import KINDS

SCHEMA = Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


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

    content = json.loads((tmp_path / REPORT_FILE).read_text(encoding="utf-8"))
    SCHEMA.validate(content)
    assert (content["verdict"], content["exit_status"]) == (verdict, status)
    assert problems(read_report(tmp_path / REPORT_FILE)) == []
    metrics = text_string_to_metric_families((tmp_path / "metrics.prom").read_text(encoding="utf-8"))
    found = {(it.name, it.labels.get("verdict")): it.value for family in metrics for it in family.samples}
    assert found["mig_conformance_verdict", verdict] == 1
    assert found["mig_conformance_exit_status", None] == status
    page = (tmp_path / "summary.md").read_text(encoding="utf-8")
    assert page.splitlines()[0].endswith(f": {verdict}")
    assert f"Exit status {status};" in page
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert f'<header class="verdict {verdict}">' in html
    assert f"<dt>Exit status</dt><dd>{status}, required: " in html
    line = last_line(report, tmp_path / REPORT_FILE)
    assert line.startswith(f"mig-conformance: verdict={verdict} exit={status} ")
    first = summary(report, tmp_path)[0].lines[0]
    said = re.search(r"(\d+) of (\d+) requirements", first)
    assert first.startswith(f"{verdict}, ")
    assert said is not None
    assert f"requirements={said[1]}/{said[2]} " in line
    assert f"The run speaks of {said[1]} of {said[2]} requirements" in page


def test_files_of_an_earlier_run_are_removed(tmp_path: Path) -> None:
    write_outputs(tmp_path, KINDS["certified"]())
    assert {path.name for path in tmp_path.iterdir()} == set(WRITERS)

    remove_outputs(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_no_draft_is_left(tmp_path: Path) -> None:
    for _ in range(2):
        write_outputs(tmp_path, KINDS["certified"]())

    assert {path.name for path in tmp_path.iterdir()} == set(WRITERS)
