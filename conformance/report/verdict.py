"""Judges the finished cases of a run. Uses no clock and no files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Set
from dataclasses import dataclass
from typing import Final

from conformance.operations.restored import Restore
from conformance.report.causes import trouble_of
from conformance.report.model import (
    NOT_JUDGED,
    Case,
    LeftOut,
    Outcome,
    RelatedRequirement,
    RequirementOutcome,
    RequirementResult,
    Verdict,
)
from conformance.report.run import Run
from conformance.spec.requirements import RELATED, REQUIREMENTS, Requirement
from conformance.wording import counted

_NOT_BACK = "the cluster could not be put back as it was found"
_ENDED_EARLY: Final = {
    2: "the run was interrupted before it judged anything",
    3: "pytest ended with an internal error before the run judged anything",
}
"""Why a run ended before its last case for no reason of the cluster, by exit status of pytest."""
JUDGED: Final = (Outcome.PASSED, Outcome.FAILED, Outcome.ERROR)
"""Outcomes of cases that judged something."""


@dataclass(frozen=True)
class Judgement:
    """The verdict, why it is not `certified` (empty when it is), and the requirements it rests on."""

    verdict: Verdict
    reasons: tuple[str, ...]
    requirements: tuple[RequirementResult, ...]


def judge(run: Run) -> Judgement:
    """Judge a run.

    `certified` requires that no case failed, broke or was blocked, that the cluster was restored, that every core
    requirement was judged, and that no case was left out. A failed case of an extended requirement prevents it too; an
    extended requirement that no case judged does not. Where the suite could not judge a case, the verdict is
    `inconclusive`, unless another case failed: what kept the suite from judging is no finding about the cluster.
    """
    requirements = requirement_results(run.cases.values(), run.left_out)
    omissions = _omissions(run, requirements)
    verdict, reasons = conclude(run.cases.values(), run.restore, requirements, omissions, status=run.status)
    return Judgement(verdict, reasons, requirements)


def conclude(
    cases: Collection[Case],
    restore: Restore,
    requirements: Iterable[RequirementResult],
    omissions: Iterable[str],
    *,
    status: int,
) -> tuple[Verdict, tuple[str, ...]]:
    """Return the verdict, and why it is not `certified`.

    Args:
        cases: The finished cases.
        restore: How the restore ended.
        requirements: The requirements, as the cases judged them.
        omissions: What was not tested, one line each.
        status: Exit status of pytest.
    """
    core = {row.id for row in requirements if row.level == "core"}
    failures, troubles = _failures(cases), _troubles(cases, restore)
    if status in _ENDED_EARLY and not _judges(cases, core):
        troubles.append(_ENDED_EARLY[status])
    # What is missing at the end of a run that could not judge has most likely the same cause.
    consequences = _consequences(cases, restore, core)
    if not troubles:
        failures += consequences
    else:
        troubles += consequences
    reasons = (*failures, *troubles, *omissions)
    if failures:
        return Verdict.NOT_CERTIFIED, reasons
    if troubles:
        return Verdict.INCONCLUSIVE, reasons
    return Verdict.PARTIAL if reasons else Verdict.CERTIFIED, reasons


def requirement_results(cases: Iterable[Case], left_out: Iterable[LeftOut] = ()) -> tuple[RequirementResult, ...]:
    """One result per documented requirement, in the order of the document."""
    by_requirement = counts_by_requirement(cases, left_out)
    return tuple(_result(row, by_requirement.get(row.id, Counter())) for row in REQUIREMENTS.values())


def outcome_of_counts(counts: Mapping[str, int]) -> RequirementOutcome:
    """Return the outcome of a requirement from the number of its cases by outcome."""
    if counts.get(Outcome.FAILED) or counts.get(Outcome.ERROR):
        return RequirementOutcome.FAILED
    if counts.get(Outcome.INCONCLUSIVE):
        return RequirementOutcome.INCONCLUSIVE
    return RequirementOutcome.PASSED if counts.get(Outcome.PASSED) else RequirementOutcome.UNTESTED


def counts_by_requirement(cases: Iterable[Case], left_out: Iterable[LeftOut]) -> dict[str, Counter[str]]:
    """Return the number of cases and left-out places by outcome, by id of the requirement."""
    counts: dict[str, Counter[str]] = {}
    for case in cases:
        for requirement in case.requirements:
            counts.setdefault(requirement, Counter())[case.outcome] += 1
    for one in left_out:
        for requirement in one.requirements:
            counts.setdefault(requirement, Counter())[one.outcome] += one.places
    return counts


def _result(row: Requirement, counts: Mapping[str, int]) -> RequirementResult:
    return RequirementResult(
        id=row.id,
        title=row.title,
        level=row.level,
        outcome=outcome_of_counts(counts),
        cases=dict(counts),
        source=row.source,
        statement=row.statement,
        related=tuple(
            RelatedRequirement(id=one.id, title=one.title, source=one.source)
            for one in RELATED
            if row.id in one.requirements
        ),
    )


def _failures(cases: Collection[Case]) -> list[str]:
    outcomes = Counter(case.outcome for case in cases)
    total = len(cases)
    reasons = []
    if failed := outcomes[Outcome.FAILED]:
        reasons.append(f"{failed} of {total} cases failed")
    if blocked := outcomes[Outcome.BLOCKED]:
        reasons.append(f"{blocked} of {total} cases {_were(blocked)} blocked by another case")
    if broken := outcomes[Outcome.ERROR]:
        reasons.append(f"{broken} of {total} cases broke before they could judge")
    return reasons


def _troubles(cases: Collection[Case], restore: Restore) -> list[str]:
    """Why the suite could not judge, one line for each reason."""
    unknown = [case for case in cases if case.outcome is Outcome.INCONCLUSIVE]
    found = Counter(trouble_of(case.reason) for case in unknown)
    reasons = [f"{count} of {len(cases)} cases {_were(count)} not judged: {reason}" for reason, count in found.items()]
    if restore.hindered:
        reasons.append(f"{_NOT_BACK}: {restore.differences[0]}")
    return reasons


def _consequences(cases: Iterable[Case], restore: Restore, core: Set[str]) -> list[str]:
    reasons = []
    if not _judges(cases, core):
        reasons.append("no case of a core requirement ran")
    if restore.outcome == "failed" and not restore.hindered:
        reasons.append(_NOT_BACK)
    return reasons


def _judges(cases: Iterable[Case], core: Set[str]) -> bool:
    return any(case.outcome in JUDGED and not core.isdisjoint(case.requirements) for case in cases)


def _omissions(run: Run, requirements: Iterable[RequirementResult]) -> list[str]:
    reasons = list(dict.fromkeys(run.narrowed))
    if run.deselected:
        reasons.append(f"{counted(run.deselected, 'case')} deselected")
    left_out: Counter[str] = Counter()
    for one in run.left_out:
        left_out[one.reason] += one.places
    reasons += [f"left out at {counted(count, 'place')}: {reason}" for reason, count in left_out.items()]
    if unfinished := len(set(run.selected) - run.cases.keys()):
        reasons.append(f"{unfinished} of {len(run.selected)} selected cases did not run to their end")
    core = [row.outcome for row in requirements if row.level == "core"]
    if unjudged := sum(outcome in NOT_JUDGED for outcome in core):
        reasons.append(f"{unjudged} of {len(core)} core requirements {_were(unjudged)} not judged")
    return reasons


def _were(count: int) -> str:
    return "was" if count == 1 else "were"
