"""Builds the `Report` of a finished run, and the summary facts for JUnit and Allure."""

from __future__ import annotations

import importlib.metadata
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from conformance.report.causes import explained
from conformance.report.convergence import summarised
from conformance.report.model import (
    CaseFunction,
    Environment,
    NodeOutcome,
    Outcome,
    Reconfigurations,
    Report,
    Required,
    Scope,
)
from conformance.report.observations import TimelineEntry
from conformance.report.omissions import not_tested
from conformance.report.run import Run, Spent
from conformance.report.timelines import stays
from conformance.report.verdict import Judgement

_INTERRUPTED: Final = 2
"""pytest's exit status of a run that a signal ended."""
DISTRIBUTION: Final = "mig-conformance"


@dataclass(frozen=True)
class Stopwatch:
    """Start of a run in wall time, and the time since."""

    started: datetime = field(default_factory=lambda: datetime.now(tz=UTC))
    _origin: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Seconds of wall time since the start, unmoved by changes of the machine's clock."""
        return round(time.monotonic() - self._origin, 3)


@dataclass(frozen=True)
class Ending:
    """How a run ended.

    Attributes:
        required: The least verdict for exit status 0.
        status: The exit status.
    """

    required: Required = Required.CERTIFIED
    status: int = 0


def assemble(run: Run, judgement: Judgement, stopwatch: Stopwatch, ending: Ending) -> Report:
    """Build the report from the collected results, the verdict and the exit status."""
    outcomes = Counter(case.outcome.value for case in run.cases.values())
    for one in run.left_out:
        outcomes[one.outcome] += one.places
    timelines = {node: tuple(entries) for node, entries in run.timelines().items()}
    return Report(
        run=run.id,
        suite_version=_suite_version(),
        invocation=run.invocation,
        started=stopwatch.started.isoformat(timespec="seconds"),
        duration=stopwatch.seconds,
        verdict=judgement.verdict,
        reasons=judgement.reasons,
        require=ending.required,
        exit_status=ending.status,
        interrupted=ending.status == _INTERRUPTED,
        profile=run.profile,
        backend=run.backend,
        simulated_gpus=run.simulated_gpus,
        environment=_environment(run),
        scope=_scope(run),
        summary={outcome.value: outcomes[outcome] for outcome in Outcome},
        requirements=judgement.requirements,
        functions=_functions(run),
        evidence=run.evidence,
        cases=explained(run.cases.values(), run.operator_namespace),
        not_tested=not_tested(run, judgement.requirements),
        left_out=tuple(run.left_out),
        preflight=run.preflight,
        spent={on.value: round(run.spent[on], 3) for on in Spent},
        api_requests=dict(run.requests()),
        timelines=timelines,
        stays={node: stays(begun, _end(run, timelines.get(node, ()))) for node, begun in run.stays.items()},
        convergence=summarised(run.measured, {node.name: node.gpu_model for node in run.environment.nodes}),
        reconfigurations=Reconfigurations(made=run.made, distinct=len(run.asked), visited=tuple(run.visited)),
        restore=run.restore,
    )


def _end(run: Run, timeline: Sequence[TimelineEntry]) -> float:
    """End of the last stay; without one, the last change."""
    if run.stays_ended is not None:
        return run.stays_ended
    return timeline[-1].time if timeline else 0.0


def _scope(run: Run) -> Scope:
    not_run = Counter(run.not_run)
    not_run.update(run.places[name].function for name in run.selected if name not in run.cases and name in run.places)
    return Scope(nodes=run.mig_nodes, narrowed=tuple(dict.fromkeys(run.narrowed)), not_run=dict(not_run))


def _functions(run: Run) -> dict[str, CaseFunction]:
    """The functions of the cases that ended, were left out, or were deselected."""
    named = {case.function for case in run.cases.values()} | {one.case for one in run.left_out} | run.not_run.keys()
    return {name: function for name, function in run.functions.items() if name in named}


def _environment(run: Run) -> Environment:
    """The environment with what became of each node."""
    return run.environment.model_copy(
        update={"nodes": tuple(node.model_copy(update=_judged(run, node.name)) for node in run.environment.nodes)}
    )


def _judged(run: Run, node: str) -> dict[str, str]:
    if (reason := run.nodes_inconclusive.get(node)) is not None:
        return {"outcome": NodeOutcome.INCONCLUSIVE, "reason": reason}
    if (reason := run.nodes_left_out.get(node)) is not None:
        return {"outcome": NodeOutcome.LEFT_OUT, "reason": reason}
    return {}


def facts(report: Report) -> dict[str, str]:
    """Return the summary facts for JUnit and Allure by name, without empty ones."""
    every = {
        "verdict": report.verdict.value,
        "backend": report.backend,
        "gpus": gpu_kind(report),
        "gpu_models": ", ".join(dict.fromkeys(node.gpu_model for node in report.environment.nodes)),
        "nodes": ", ".join(node.name for node in report.environment.nodes),
        **versions(report.environment),
        "suite": report.suite_version,
        "restore": report.restore.outcome,
    }
    return {name: value for name, value in every.items() if value}


def gpu_kind(report: Report) -> str:
    """`simulated` or `real`."""
    return "simulated" if report.simulated_gpus else "real"


def versions(environment: Environment) -> dict[str, str]:
    """Version by component; empty where it was not found."""
    return environment.model_dump(exclude={"cluster", "nodes"})


def _suite_version() -> str:
    try:
        return importlib.metadata.version(DISTRIBUTION)
    except importlib.metadata.PackageNotFoundError:
        return "not installed, run from its sources"
