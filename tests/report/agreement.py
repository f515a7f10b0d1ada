"""All files of a run agree with each other and with its exit status. For tests that start whole runs."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from pathlib import Path

from jsonschema import Draft202012Validator
from prometheus_client.parser import text_string_to_metric_families

from conformance.report.directory import JUNIT_FILE, REPORT_FILE
from conformance.report.model import Report
from conformance.report.schema import SCHEMA_FILE
from conformance.report.validation import problems, read_report

SCHEMA = Draft202012Validator(json.loads(SCHEMA_FILE.read_text(encoding="utf-8")))


def assert_agreement(folder: Path, code: int, output: str | None = None) -> Report:
    """Assert it of the files in a report folder, and return the report.

    Args:
        folder: The report folder.
        code: Exit status of the run.
        output: What it printed; None if nobody kept it.
    """
    SCHEMA.validate(json.loads((folder / REPORT_FILE).read_text(encoding="utf-8")))
    report = read_report(folder / REPORT_FILE)
    assert problems(report) == []
    assert report.exit_status == code
    metrics = text_string_to_metric_families((folder / "metrics.prom").read_text(encoding="utf-8"))
    values = {(it.name, it.labels.get("verdict")): it.value for family in metrics for it in family.samples}
    assert values["mig_conformance_verdict", report.verdict] == 1
    assert values["mig_conformance_exit_status", None] == code
    page = (folder / "summary.md").read_text(encoding="utf-8")
    assert page.splitlines()[0].endswith(f": {report.verdict}")
    assert f"Exit status {code};" in page
    html = (folder / "index.html").read_text(encoding="utf-8")
    assert f'<header class="verdict {report.verdict}">' in html
    assert f"<dt>Exit status</dt><dd>{code}, required: " in html
    if (folder / JUNIT_FILE).exists():
        tree = ET.parse(folder / JUNIT_FILE)  # noqa: S314 - our own file
        said = {it.get("name"): it.get("value") for it in tree.iterfind("./testsuite/properties/property")}
        assert said.get("verdict", report.verdict) == report.verdict  # without a case, JUnit has no properties
    if output is not None:
        lines = [line for line in output.splitlines() if line.startswith("mig-conformance: ")]
        (numbers,) = re.findall(r"speaks of (\d+) of (\d+) requirements", output)
        assert lines[-1].startswith(f"mig-conformance: verdict={report.verdict} exit={code} ")
        assert f" requirements={numbers[0]}/{numbers[1]} report=" in lines[-1]
    return report
