"""A pytest run within a test, with the plug-in of the report and a stand-in for the fixtures of a cluster."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from conformance.expect.finding import CheckContext, ConformanceError, Finding
from conformance.operations.restored import Restore, RestoreOutcome
from conformance.report.invocation import RUN
from conformance.report.model import Report
from conformance.report.observations import TimelineEntry
from conformance.report.run import Run
from conformance.spec.names import Strategy


@dataclass
class StandIn:
    """Fills the record of a run as the fixtures would: before collection, and when the session ends.

    Attributes:
        start: Called with the record before collection.
        restore: What putting back comes to.
    """

    start: Callable[[Run], object] = lambda _: None
    restore: Restore = field(default_factory=lambda: Restore(RestoreOutcome.EXACT))

    def pytest_configure(self, config: pytest.Config) -> None:
        config.addinivalue_line("markers", "requirement(id, ...): as in the suite")

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        run = session.config.stash[RUN]
        run.backend, run.simulated_gpus = "simulated", True
        run.timelines = lambda: {"sim-0": [TimelineEntry(time=1.0, kind="labels", subject="x", change="x=1")]}
        self.start(run)

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        session.config.stash[RUN].restore = self.restore


@dataclass
class Inner:
    """Runs of pytest whose folder of cases is pytester's own."""

    pytester: pytest.Pytester

    @property
    def reports(self) -> Path:
        return self.pytester.path / "out"

    @property
    def report(self) -> Report:
        return Report.model_validate_json((self.reports / "report.json").read_text(encoding="utf-8"))

    def run(self, *arguments: str, stand_in: StandIn | None = None) -> pytest.RunResult:
        return self.pytester.runpytest_inprocess(
            *("-p", "conformance.report.plugin", "-p", "no:randomly", "--report-dir=out", *arguments),
            plugins=[stand_in or StandIn()],
            no_reraise_ctrlc=True,
        )


def refuted() -> None:
    """Fail as a check fails."""
    context = CheckContext(("D-06",), "sim-0", Strategy.SINGLE, "all-1g.10gb")
    raise ConformanceError(context, "resources", Finding(("nvidia.com/gpu: 7",), ("nvidia.com/gpu: 8",)))
