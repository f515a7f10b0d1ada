"""Turns pytest's reports into finished cases, and a finished run into a `Report`."""

from __future__ import annotations

import importlib.metadata
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from conformance.report.model import Case, Outcome, Reconfigurations, Report
from conformance.report.run import Run
from conformance.report.verdict import Judgement


class Collector:
    """Plug-in that records every case of a run in `Run.cases`."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._requirements: dict[str, tuple[str, ...]] = {}
        self._started = datetime.now(tz=UTC)
        self._clock = time.monotonic()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Remember which requirements each case speaks of, and tell JUnit."""
        for item in session.items:
            names = requirements_of(item)
            self._requirements[item.nodeid] = names
            item.user_properties.extend(("requirement", name) for name in names)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Fold the reports of set-up, call and tear-down of a case into one."""
        before = self._run.cases.get(report.nodeid)
        outcome = self._outcome(report)
        if before is None:
            self._run.cases[report.nodeid] = Case(
                id=report.nodeid,
                outcome=outcome,
                duration=report.duration,
                requirements=self._requirements.get(report.nodeid, ()),
                reason=_reason(report),
            )
            return
        worse = outcome is not Outcome.PASSED and before.outcome is Outcome.PASSED
        self._run.cases[report.nodeid] = before.model_copy(
            update={
                "outcome": outcome if worse else before.outcome,
                "duration": before.duration + report.duration,
                "reason": before.reason or _reason(report),
            }
        )

    def report(self, judgement: Judgement) -> Report:
        """Everything that was collected, with the verdict on it."""
        run = self._run
        return Report(
            suite_version=_suite_version(),
            started=self._started.isoformat(timespec="seconds"),
            duration=round(time.monotonic() - self._clock, 3),
            verdict=judgement.verdict,
            reasons=judgement.reasons,
            backend=run.backend,
            simulated_gpus=run.simulated_gpus,
            environment=run.environment,
            summary=dict(Counter(case.outcome.value for case in run.cases.values())),
            requirements=judgement.requirements,
            cases=tuple(run.cases.values()),
            timelines={node: tuple(entries) for node, entries in run.timelines().items()},
            reconfigurations=Reconfigurations(
                made=run.made, distinct=len(run.asked), visited=tuple(run.visited)
            ),
            restore=run.restore,
        )

    def _outcome(self, report: pytest.TestReport) -> Outcome:
        if report.passed:
            return Outcome.PASSED
        if report.skipped:
            return Outcome.NOT_ALLOWED if report.nodeid in self._run.not_allowed else Outcome.SKIPPED
        return Outcome.FAILED if report.when == "call" else Outcome.ERROR


def requirements_of(item: pytest.Item) -> tuple[str, ...]:
    """Ids of the requirements that a case is marked with, in the order of the marks."""
    return tuple(_ids(item))


def _ids(item: pytest.Item) -> Iterator[str]:
    for marker in reversed(list(item.iter_markers("requirement"))):
        yield from marker.args


def _suite_version() -> str:
    try:
        return importlib.metadata.version("mig-conformance")
    except importlib.metadata.PackageNotFoundError:
        return "not installed, run from its sources"


def _reason(report: pytest.TestReport) -> str:
    if report.passed:
        return ""
    if report.skipped and isinstance(report.longrepr, tuple):
        return report.longrepr[2].removeprefix("Skipped: ")
    crash = getattr(report.longrepr, "reprcrash", None)
    return str(crash.message if crash is not None else report.longrepr)
