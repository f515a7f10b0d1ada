"""What a run did not test, and why: one entry for each reason."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Literal

from conformance.report.model import NotTested, Outcome, RequirementOutcome, RequirementResult
from conformance.report.run import Run

Why = Literal["not-allowed", "skipped", "inconclusive", "blocked", "unfinished", "no-case"]
_OUTCOMES: Final[dict[Outcome, Why]] = {
    Outcome.SKIPPED: "skipped",
    Outcome.INCONCLUSIVE: "inconclusive",
    Outcome.BLOCKED: "blocked",
}
_UNFINISHED: Final = "the run ended before"
_NO_CASE: Final = "no case was selected"


@dataclass
class _Group:
    cases: int = 0
    requirements: set[str] = field(default_factory=set)
    nodes: set[str] = field(default_factory=set)


def not_tested(run: Run, requirements: Iterable[RequirementResult]) -> tuple[NotTested, ...]:
    """Return what was left out, skipped or not judged, what the end of the run prevented, and what has no case."""
    groups: dict[tuple[Why, str], _Group] = {}
    for why, reason, cases, names, node in (*_left_out(run), *_ended(run), *_unfinished(run)):
        group = groups.setdefault((why, reason), _Group())
        group.cases += cases
        group.requirements.update(names)
        group.nodes.update([node] if node else [])
    explained = {name for group in groups.values() for name in group.requirements}
    untested = {row.id for row in requirements if row.outcome is RequirementOutcome.UNTESTED and not row.cases}
    if names := untested - explained:
        groups["no-case", _NO_CASE] = _Group(requirements=names)
    return tuple(
        NotTested(
            reason=reason,
            cause=why,
            cases=group.cases,
            requirements=tuple(sorted(group.requirements)),
            nodes=tuple(sorted(group.nodes)),
        )
        for (why, reason), group in groups.items()
    )


_Entry = tuple[Why, str, int, Iterable[str], str]


def _left_out(run: Run) -> Iterator[_Entry]:
    for one in run.left_out:
        node = next((name for name, reason in run.nodes_left_out.items() if reason == one.reason), "")
        yield one.outcome, one.reason, one.places, one.requirements, node


def _ended(run: Run) -> Iterator[_Entry]:
    for case in run.cases.values():
        if (why := _OUTCOMES.get(case.outcome)) is not None:
            reason = case.reason.partition("\n")[0].removeprefix("inconclusive: ")
            yield why, reason, 1, case.requirements, case.node


def _unfinished(run: Run) -> Iterator[_Entry]:
    for name in run.selected:
        if name not in run.cases:
            place = run.places.get(name)
            function = run.functions.get(place.function) if place else None
            yield "unfinished", _UNFINISHED, 1, function.requirements if function else (), place.node if place else ""
