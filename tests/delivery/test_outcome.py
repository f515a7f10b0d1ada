"""What is said of a run in few words."""

from __future__ import annotations

from pathlib import Path

from conformance.delivery.outcome import LONGEST_MESSAGE, begun, ended, message
from conformance.report.model import Outcome
from tests.report.made import case, report_of, run_of, whole_run

FOLDER = Path("/results")


def test_the_message_is_verdict_and_reasons_in_one_line() -> None:
    report = report_of(run_of(case("test_a.py::test_a", Outcome.FAILED, "D-06")))

    assert message(report).startswith("not-certified: ")
    assert "\n" not in message(report)
    assert all(reason in message(report) for reason in report.reasons)


def test_a_certified_run_needs_no_reasons() -> None:
    assert message(report_of(whole_run())).partition(":")[0] in ("certified", "partial")


def test_a_message_is_cut_at_what_kubelet_takes() -> None:
    report = report_of(whole_run()).model_copy(update={"reasons": ("ä" * LONGEST_MESSAGE,)})

    text = message(report)
    assert LONGEST_MESSAGE - 1 <= len(text.encode()) <= LONGEST_MESSAGE
    assert text.endswith("ä")


def test_a_run_that_begins_wipes_out_what_an_earlier_one_left() -> None:
    report = report_of(whole_run())

    assert begun()["verdict"] == "running"
    assert begun().keys() >= ended(report, FOLDER).keys() >= ended(None, FOLDER).keys()
    assert {key for key in begun() if begun()[key]} == {"verdict", "started"}


def test_a_run_that_could_not_begin_says_where_to_look() -> None:
    assert ended(None, FOLDER)["verdict"] == "none"
    assert "log" in ended(None, FOLDER)["reasons"]


def test_the_summary_is_that_of_the_terminal() -> None:
    lines = ended(report_of(whole_run()), FOLDER)["summary"].splitlines()

    assert lines[0].startswith("verdict ")
    assert lines[-1].split() == ["report", "/results/report.json"]
