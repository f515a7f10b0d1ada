"""What single reports of pytest mean, where a run through `pytester` cannot easily bring them about."""

from __future__ import annotations

from typing import Literal

import pytest

from conformance.report.model import Outcome
from conformance.report.phases import joined, outcome_of, reason_of
from tests.report.made import case

Phase = Literal["setup", "call", "teardown"]


def report(outcome: Literal["passed", "failed", "skipped"], when: Phase, longrepr: str = "") -> pytest.TestReport:
    return pytest.TestReport("a::b", ("a", 1, "b"), {}, outcome, longrepr, when)


@pytest.mark.parametrize(
    ("outcome", "when", "blocked", "expected"),
    [
        ("passed", "call", False, Outcome.PASSED),
        ("failed", "setup", False, Outcome.ERROR),
        ("failed", "call", False, Outcome.FAILED),
        ("failed", "teardown", False, Outcome.ERROR),
        ("skipped", "setup", False, Outcome.SKIPPED),
        ("skipped", "setup", True, Outcome.BLOCKED),
        ("passed", "setup", True, Outcome.PASSED),
        ("failed", "teardown", True, Outcome.ERROR),
    ],
)
def test_outcome_of_a_phase(
    outcome: Literal["passed", "failed", "skipped"], when: Phase, blocked: bool, expected: Outcome
) -> None:
    assert outcome_of(report(outcome, when), blocked=blocked) is expected


@pytest.mark.parametrize("outcome", ["failed", "skipped"])
@pytest.mark.parametrize("when", ["setup", "call", "teardown"])
def test_what_the_suite_could_not_judge_is_no_failure(outcome: Literal["failed", "skipped"], when: Phase) -> None:
    assert outcome_of(report(outcome, when), inconclusive=True) is Outcome.INCONCLUSIVE
    assert outcome_of(report("passed", when), inconclusive=True) is Outcome.PASSED


def test_an_expected_failure_is_a_failure() -> None:
    """A mark that forgives a failure must not buy a certificate."""
    forgiven = report("skipped", "call", "it is known")
    forgiven.wasxfail = "it is known"

    assert outcome_of(forgiven) is Outcome.FAILED


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (Outcome.PASSED, Outcome.PASSED, Outcome.PASSED),
        (Outcome.PASSED, Outcome.ERROR, Outcome.ERROR),
        (Outcome.SKIPPED, Outcome.PASSED, Outcome.SKIPPED),
        (Outcome.SKIPPED, Outcome.ERROR, Outcome.ERROR),
        (Outcome.BLOCKED, Outcome.PASSED, Outcome.BLOCKED),
        (Outcome.BLOCKED, Outcome.ERROR, Outcome.ERROR),
        (Outcome.INCONCLUSIVE, Outcome.PASSED, Outcome.INCONCLUSIVE),
        (Outcome.FAILED, Outcome.ERROR, Outcome.FAILED),
        (Outcome.ERROR, Outcome.ERROR, Outcome.ERROR),
    ],
)
def test_the_worse_phase_decides_and_brings_its_reason(before: Outcome, after: Outcome, expected: Outcome) -> None:
    reasons = {outcome: "" if outcome is Outcome.PASSED else str(outcome) for outcome in Outcome}

    whole = joined(case("a", before, reason=reasons[before]), case("a", after, reason=reasons[after]))

    assert (whole.outcome, whole.reason, whole.duration) == (expected, reasons[expected], 3.0)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "conformance.expect.finding.ConformanceError: D-06 resources\n  expected    x",
            "D-06 resources\n  expected    x",
        ),
        ("conformance.cluster.errors.WaitTimeout: waited 3 s", "WaitTimeout: waited 3 s"),
        ("AssertionError: no.thing: here", "AssertionError: no.thing: here"),
        ("no error at all", "no error at all"),
    ],
)
def test_reason_without_the_path_of_the_error(text: str, reason: str) -> None:
    assert reason_of(report("failed", "call", text)) == reason
