"""Turns pytest's reports into finished cases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from conformance.expect.finding import ConformanceError
from conformance.report.causes import cause_of
from conformance.report.invocation import case_files
from conformance.report.model import Case, CauseClass, Outcome
from conformance.report.phases import joined, outcome_of, reason_of
from conformance.report.run import Run
from conformance.spec.requirements import REQUIREMENTS


class Collector:
    """Plug-in that records every case of a run in `Run.cases`, once its last phase is over."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._requirements: dict[str, tuple[str, ...]] = {}
        self._errors: dict[tuple[str, str], BaseException] = {}
        self._running: dict[str, Case] = {}

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Record a module that cannot be collected as one case with outcome `error`."""
        if report.failed:
            self._run.cases[report.nodeid] = Case(
                id=report.nodeid,
                outcome=Outcome.ERROR,
                duration=0,
                requirements=(),
                reason=reason_of(report),
                cause=CauseClass.SUITE,
            )

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Record the selected cases and their requirements, also as JUnit properties."""
        for item in session.items:
            names = requirements_of(item)
            self._requirements[item.nodeid] = names
            item.user_properties.extend(("requirement", name) for name in names)
            if names:
                item.user_properties.append(("level", level_of(names)))
        self._run.selected = [item.nodeid for item in session.items]

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Note the modules without a selected case, once the run knows which cases it leaves out and why."""
        left_out = {path for path in case_files() - {item.path for item in session.items} if not self._explained(path)}
        if left_out and not self._run.narrowed:
            self._run.narrowed.append(f"no case of {', '.join(sorted(path.name for path in left_out))} was selected")

    def _explained(self, path: Path) -> bool:
        """Whether cases of a module were left out for a reason that the report gives: a permission, or the profile."""
        text = path.read_text(encoding="utf-8")
        return self._is_beyond_profile(path) or any(f"def {one.case}(" in text for one in self._run.left_out)

    def _is_beyond_profile(self, path: Path) -> bool:
        """Whether the profile that the report states has none of the cases of a module that was collected."""
        names = {name for name, one in self._run.functions.items() if Path(one.module).name == path.name}
        return bool(names) and names <= self._run.beyond_profile

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> None:
        """Keep what ended a phase, because the pytest report of a phase has it as text only."""
        if call.excinfo is not None:
            self._errors[item.nodeid, call.when] = call.excinfo.value

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Merge the phases of a case. A case without its teardown was interrupted and is not recorded."""
        name = report.nodeid
        error, place = self._errors.pop((name, str(report.when)), None), self._run.places.get(name)
        outcome = outcome_of(report, blocked=name in self._run.blocked, inconclusive=name in self._run.inconclusive)
        phase = Case(
            id=name,
            function=place.function if place else "",
            node=place.node if place else "",
            cell=place.cell if place else None,
            before=place.before if place else None,
            outcome=outcome,
            duration=round(report.duration, 3),
            requirements=self._requirements.get(name, ()),
            reason=reason_of(report),
            finding=error.finding if isinstance(error, ConformanceError) else None,
            cause=cause_of(outcome, error),
            evidence=self._run.evidence_of.get(name),
        )
        case = joined(self._running[name], phase) if name in self._running else phase
        if report.when == "teardown":
            self._running.pop(name, None)
            self._run.cases[name] = case
        else:
            self._running[name] = case


def requirements_of(item: pytest.Item) -> tuple[str, ...]:
    """Ids of the requirements that a case is marked with, in the order of the marks."""
    return tuple(_ids(item))


def level_of(requirements: Iterable[str]) -> str:
    """Level of a case: `core` if one of its requirements is, else `extended`."""
    return "core" if any(REQUIREMENTS[name].level == "core" for name in requirements) else "extended"


def _ids(item: pytest.Item) -> Iterator[str]:
    for marker in reversed(list(item.iter_markers("requirement"))):
        yield from marker.args
