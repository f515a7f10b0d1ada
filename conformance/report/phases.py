"""Translates the pytest reports of the phases of a case (set-up, call, teardown) into an outcome and a reason."""

from __future__ import annotations

import re
from typing import Final

import pytest

from conformance.report.model import Case, Outcome

_WEIGHT: Final = {
    Outcome.PASSED: 0,
    Outcome.SKIPPED: 1,
    Outcome.NOT_ALLOWED: 1,
    Outcome.BLOCKED: 1,
    Outcome.INCONCLUSIVE: 1,
    Outcome.ERROR: 2,
    Outcome.FAILED: 2,
}
_MODULE_PATH: Final = re.compile(r"^(?:\w+\.)+(?=\w+: )")
_PLAIN: Final = "ConformanceError: "
"""The one error whose text says everything: a check that failed."""


def outcome_of(report: pytest.TestReport, *, blocked: bool = False, inconclusive: bool = False) -> Outcome:
    """Return the outcome of one phase.

    Args:
        report: The phase.
        blocked: Whether the case was skipped because of a problem that another case reports.
        inconclusive: Whether the suite could not judge the case, however its phase ended.
    """
    if report.passed:
        return Outcome.PASSED
    if inconclusive:
        return Outcome.INCONCLUSIVE
    if report.skipped and not hasattr(report, "wasxfail"):
        return Outcome.BLOCKED if blocked else Outcome.SKIPPED
    return Outcome.FAILED if report.when == "call" else Outcome.ERROR


def joined(before: Case, phase: Case) -> Case:
    """Merge one more phase into a case: the worse outcome counts, of two equally bad ones the earlier."""
    worst = max(before, phase, key=lambda case: _WEIGHT[case.outcome])
    return worst.model_copy(update={"duration": round(before.duration + phase.duration, 3)})


def reason_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return the text of the error or skip; empty if the phase passed."""
    if report.passed:
        return ""
    if report.skipped and isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(crash.message if crash is not None else report.longrepr)
    return _MODULE_PATH.sub("", text).removeprefix(_PLAIN)
