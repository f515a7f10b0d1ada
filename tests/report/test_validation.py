"""A report is accepted as it was written, and refused with one line for each thing that was done to it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from conformance.report.model import Outcome, Report, RequirementOutcome, Verdict
from conformance.report.observations import Convergence
from conformance.report.validation import ReportError, problems, read_report
from tests.report.kinds import KINDS, certified, not_certified, partial
from tests.report.made import case, report_of, whole_run


@pytest.mark.parametrize("kind", KINDS)
def test_a_report_is_sound_however_the_run_ended(kind: str, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text(KINDS[kind]().model_dump_json(), encoding="utf-8")

    assert problems(read_report(file)) == []


def changed(report: Report, **update: Any) -> list[str]:
    return problems(report.model_copy(update=update))


def test_a_case_that_is_there_twice() -> None:
    report = certified()
    twice = (*report.cases, report.cases[0])

    found = changed(report, cases=twice, summary=report.summary | {"passed": len(twice)})

    assert found[0] == f"case {report.cases[0].id} is there 2 times"


def test_a_summary_that_counts_otherwise_than_the_cases() -> None:
    report = certified()

    assert changed(report, summary=report.summary | {"passed": 1}) == ["summary says 1 passed, the cases say 13"]


def test_a_requirement_that_says_otherwise_than_its_cases() -> None:
    report = not_certified()
    rows = {row.id: row for row in report.requirements}
    better = rows["D-06"].model_copy(update={"outcome": RequirementOutcome.PASSED})
    fewer = rows["D-01"].model_copy(update={"cases": {}})

    found = changed(report, requirements=tuple((rows | {"D-06": better, "D-01": fewer}).values()))

    assert found == [
        "requirement D-01 says nothing, its cases say 1 passed",
        "requirement D-06 is passed, its cases make it failed",
    ]


@pytest.mark.parametrize(
    ("report", "verdict", "line"),
    [
        (not_certified(), Verdict.CERTIFIED, "verdict is certified, the outcomes make it not-certified"),
        (partial(), Verdict.CERTIFIED, "verdict is certified, the outcomes make it partial"),
        (certified(), Verdict.PARTIAL, "verdict is partial, the outcomes make it certified"),
    ],
)
def test_a_verdict_that_the_outcomes_contradict(report: Report, verdict: Verdict, line: str) -> None:
    assert line in changed(report, verdict=verdict)


def test_a_certificate_that_leaves_out_its_reasons() -> None:
    found = changed(partial(), verdict=Verdict.CERTIFIED, reasons=())

    assert "verdict is certified, but 1 entries were left out" in found


@pytest.mark.parametrize(
    ("report", "update", "line"),
    [
        (
            partial(),
            {"exit_status": 0},
            "exit status is 0, but verdict partial is less than certified, which is required",
        ),
        (
            certified(),
            {"exit_status": 1},
            "exit status is 1, but verdict certified is enough where certified is required",
        ),
        (certified(), {"exit_status": 5}, "exit status is 5: no case was selected, but there are 13"),
        (certified(), {"interrupted": True}, "exit status is 0, but interrupted is true"),
    ],
)
def test_an_exit_status_that_the_verdict_contradicts(report: Report, update: dict[str, Any], line: str) -> None:
    assert changed(report, **update) == [line]


def test_what_a_case_points_at_must_be_there() -> None:
    report = not_certified()
    first = next(case for case in report.cases if case.outcome is Outcome.FAILED)
    assert changed(report, functions={}, evidence={})[:2] == [
        f"case {first.id}: functions have no test_fails",
        f"case {first.id}: evidence has no sim-0 in single-all-1g.10gb",
    ]


def test_an_unknown_requirement_of_a_case() -> None:
    report = report_of(whole_run())
    odd = case("test_a.py::test_odd", Outcome.PASSED, "D-99")

    assert f"case {odd.id}: requirements have no D-99" in changed(report, cases=(*report.cases, odd))


TEXT = certified().model_dump_json(indent=1)


@given(some.integers(0, len(TEXT) - 2))
def test_a_report_that_breaks_off_anywhere_is_refused(tmp_path_factory: pytest.TempPathFactory, length: int) -> None:
    file = tmp_path_factory.mktemp("cut") / "report.json"
    file.write_text(TEXT[:length], encoding="utf-8")

    with pytest.raises(ReportError, match="no complete JSON"):
        read_report(file)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("[]", "no schema_version: this release reads 2"),
        ('{"schema_version": 1}', "schema_version 1: this release reads 2"),
        (TEXT.replace('"duration"', '"length"', 1), "duration: Field required"),
        (TEXT.replace('"outcome": "passed"', '"outcome": "fine"', 1), "Input should be 'passed', 'failed'"),
    ],
)
def test_what_is_no_report_of_this_release_is_refused(text: str, line: str, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(ReportError) as refused:
        read_report(file)
    assert any(line in found for found in refused.value.problems)


@pytest.mark.parametrize("number", ["1e308", "NaN", "Infinity", "-1e400", "1" + "0" * 400])
def test_a_number_that_nothing_can_have(number: str, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    text = certified().model_copy(update={"duration": 12345.5}).model_dump_json()
    file.write_text(text.replace("12345.5", number), encoding="utf-8")

    with pytest.raises(ReportError, match=r"^duration: no such number is possible$"):
        read_report(file)


@pytest.mark.parametrize("started", ["yesterday", "", "2026-11-29T01:00:00"])
def test_a_start_that_is_no_time_of_the_whole_world(started: str) -> None:
    assert changed(certified(), started=started) == [
        f"started is {started}, which is no time of ISO 8601 with its zone"
    ]


def test_times_of_convergence_that_nobody_measured() -> None:
    none = Convergence(gpu_model="H100", change="pod-to-running", n=0, minimum=1.0, median=1.0, maximum=1.0)

    assert changed(certified(), convergence=(none,)) == ["convergence of pod-to-running on H100 says 0 measurements"]
