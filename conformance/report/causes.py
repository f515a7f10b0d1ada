"""Says why a case did not pass: where the reason lies, the likely cause, and what to look at next. Texts are data."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any, Final

from conformance.cluster.errors import ClusterError
from conformance.expect.finding import ConformanceError
from conformance.report.model import Case, CauseClass, Outcome
from conformance.spec.package_data import read_yaml

_FINE: Final = (Outcome.PASSED, Outcome.SKIPPED, Outcome.NOT_ALLOWED)
_STEPS: Final[Mapping[str, Any]] = read_yaml("next_steps.yaml", __package__)
_OTHERWISE: Final = " (otherwise the case would say: "
_BLOCKER: Final = re.compile(r"blocked by (\S+?): ")


def doubted(trouble: str, said: str) -> str:
    """Return the reason of a case that failed and is no finding because of some trouble.

    Args:
        trouble: What else than the product may have made it fail.
        said: What the case would say otherwise.
    """
    return f"{trouble}{_OTHERWISE}{said})"


def trouble_of(reason: str) -> str:
    """Return the trouble in the reason of a case that could not judge: the same for all cases that it concerns."""
    return reason.partition("\n")[0].removeprefix("inconclusive: ").partition(_OTHERWISE)[0]


def said_otherwise(reason: str) -> str:
    """Return what a case would say if there had been no trouble; empty if it was not judged for another reason."""
    return reason.partition("\n")[0].partition(_OTHERWISE)[2].removesuffix(")")


def cause_of(outcome: Outcome, error: BaseException | None) -> CauseClass | None:
    """Return where the reason lies; None for a case that passed or was skipped.

    Args:
        outcome: How the case ended.
        error: What ended its phase; pytest's own exception for a skip, None if it is not known.
    """
    if outcome in _FINE:
        return None
    if outcome is Outcome.INCONCLUSIVE:
        # A mistake of the suite is raised as it is; what others did ends the case as a skip.
        mistake = isinstance(error, Exception) and not isinstance(error, ClusterError | ConformanceError)
        return CauseClass.SUITE if mistake else CauseClass.ENVIRONMENT
    if outcome is Outcome.BLOCKED or isinstance(error, ClusterError | ConformanceError):
        return CauseClass.PRODUCT
    return CauseClass.SUITE


def explained(cases: Iterable[Case], operator_namespace: str) -> tuple[Case, ...]:
    """Return the cases with their next steps; a blocked case has the cause of the case that blocks it.

    A finding whose check knows no likely cause gets that of the component that answers for its subject.
    """
    every = tuple(cases)
    causes = {case.id: case.cause for case in every}
    return tuple(_explained(case, causes, operator_namespace) for case in every)


def component_of(subject: str) -> str | None:
    """Return the component that answers for the subject of a finding; None if the table does not have it."""
    found = [name for name in _STEPS["subjects"] if subject.startswith(name)]
    return _STEPS["subjects"][max(found, key=len)] if found else None


def _explained(case: Case, causes: Mapping[str, CauseClass | None], operator: str) -> Case:
    if case.cause is None:
        return case
    blocker = blocker_of(case)
    cause = (causes.get(blocker) if blocker else None) or case.cause
    node = case.node or "the node"
    places = {"{node}": node, "{operator}": operator, "{blocker}": blocker or "another case"}
    steps = tuple(_filled(step, places) for step in _steps(case, cause))
    finding = case.finding
    if finding and not finding.likely and (component := component_of(finding.subject)):
        finding = replace(finding, likely=(_filled(_STEPS["likely"][component], places),))
    return case.model_copy(update={"cause": cause, "next_steps": steps, "finding": finding})


def blocker_of(case: Case) -> str | None:
    """Return the id of the case that reports why this one is blocked; None for a case that is not."""
    found = _BLOCKER.match(case.reason) if case.outcome is Outcome.BLOCKED else None
    return found[1] if found else None


def _steps(case: Case, cause: CauseClass) -> Iterable[str]:
    if case.outcome is Outcome.BLOCKED:
        return _list("blocked")
    if cause is CauseClass.PRODUCT and case.finding and (component := component_of(case.finding.subject)):
        steps: list[str] = _STEPS["components"][component]
        return steps
    return _list(cause)


def _list(name: str) -> list[str]:
    steps: list[str] = _STEPS[name]
    return steps


def _filled(step: str, places: Mapping[str, str]) -> str:
    for name, value in places.items():
        step = step.replace(name, value)
    return step
