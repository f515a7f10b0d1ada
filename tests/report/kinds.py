"""One report for each way in which a run may end."""

from __future__ import annotations

from typing import Final

import pytest

from conformance.expect.finding import Finding
from conformance.operations.restored import Restore, RestoreOutcome
from conformance.report.model import Case, CaseCell, CaseFunction, CauseClass, LeftOut, Outcome, Report, Required
from conformance.report.observations import Evidence, LogExcerpt, TimelineEntry
from conformance.report.run import Run
from tests.report.made import CORE, case, report_of, run_of, whole_run

FINDING: Final = Finding(
    expected=("nvidia.com/gpu: 7",),
    found=("nvidia.com/gpu: 8",),
    subject="resources of node sim-0 under single, all-1g.10gb",
    timeline=("3.0 s ago  capacity nvidia.com/gpu: 0 -> 8",),
    likely=("the device plugin | counts the GPU too",),
)
KEY: Final = "sim-0 in single-all-1g.10gb"


def certified() -> Report:
    run = whole_run()
    run.restore = Restore(RestoreOutcome.EXACT)
    run.measured = [("sim-0", "label-to-success", 12.0), ("sim-1", "label-to-success", 15.0)]
    run.begin_stay("sim-0", 1.0, "single", "all-1g.10gb")
    run.stays_ended = 60.0
    run.timelines = lambda: {"sim-0": [TimelineEntry(time=1.0, kind="labels", subject="x", change="x=1")]}
    return report_of(run)


def partial(required: Required = Required.CERTIFIED) -> Report:
    run = whole_run()
    run.narrowed = ["narrowed to --node sim-0"]
    run.left_out = [
        LeftOut(case="test_x", requirements=("D-08",), outcome="not-allowed", reason="needs --allow-reboot", places=2)
    ]
    return report_of(run, required)


def not_certified() -> Report:
    run = whole_run(*_failed())
    run.functions["test_fails"] = CaseFunction(
        module="conformance/cases/test_a.py",
        requirements=("D-06",),
        level="core",
        scenario="LookAtRest",
        statement="It MUST be so.",
        source="runbook",
    )
    run.evidence[KEY] = Evidence(
        node="sim-0", taken=9.0, logs=(LogExcerpt(pod="plugin", container="main", lines=("a line",)),)
    )
    return report_of(run)


def inconclusive() -> Report:
    reason = "inconclusive: the API server does not answer"
    return report_of(whole_run(case("test_a.py::test_unknown", Outcome.INCONCLUSIVE, CORE[0], reason=reason)))


def interrupted() -> Report:
    run = whole_run()
    run.selected.append("conformance/cases/test_z.py::test_z")
    return report_of(run, of_pytest=pytest.ExitCode.INTERRUPTED)


def empty() -> Report:
    run: Run = run_of()
    return report_of(run, of_pytest=pytest.ExitCode.NO_TESTS_COLLECTED)


def known_cluster(report: Report, cluster: str = "uid-1") -> Report:
    """The report of a run that may read the identity of its cluster."""
    return report.model_copy(update={"environment": report.environment.model_copy(update={"cluster": cluster})})


KINDS: Final = {made.__name__: made for made in (certified, partial, not_certified, inconclusive, interrupted, empty)}


def _failed() -> tuple[Case, ...]:
    place = {
        "function": "test_fails",
        "node": "sim-0",
        "cell": CaseCell(strategy="single", configuration="all-1g.10gb"),
        "cause": CauseClass.PRODUCT,
        "evidence": KEY,
    }
    first = case(
        "test_a.py::test_fails[x]", Outcome.FAILED, "D-06", reason="D-06 resources\n  expected", finding=FINDING
    )
    reason = f"blocked by {first.id}: it did not reach its cell"
    second = case("test_a.py::test_fails[y]", Outcome.BLOCKED, "D-06", reason=reason)
    return first.model_copy(update=place), second.model_copy(update=place)
