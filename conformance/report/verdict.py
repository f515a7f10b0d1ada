"""Judges the finished cases of a run. Uses no clock and no files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

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

_JUDGED = (Outcome.PASSED, Outcome.FAILED, Outcome.ERROR)


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
    failures, troubles = _failures(run), _troubles(run)
    # What is missing at the end of a run that could not judge has most likely the same cause.
    consequences = _consequences(run)
    if not troubles:
        failures += consequences
    else:
        troubles += consequences
    omissions = _omissions(run, requirements)
    if failures:
        verdict = Verdict.NOT_CERTIFIED
    elif troubles:
        verdict = Verdict.INCONCLUSIVE
    elif omissions:
        verdict = Verdict.PARTIAL
    else:
        verdict = Verdict.CERTIFIED
    return Judgement(verdict, (*failures, *troubles, *omissions), requirements)


def requirement_results(cases: Iterable[Case], left_out: Iterable[LeftOut] = ()) -> tuple[RequirementResult, ...]:
    """One result per documented requirement, in the order of the document."""
    by_requirement: dict[str, Counter[str]] = {}
    for case in cases:
        for requirement in case.requirements:
            by_requirement.setdefault(requirement, Counter())[case.outcome] += 1
    for one in left_out:
        for requirement in one.requirements:
            by_requirement.setdefault(requirement, Counter())[one.outcome] += one.places
    return tuple(_result(row, by_requirement.get(row.id, Counter())) for row in REQUIREMENTS.values())


def _result(row: Requirement, counts: Mapping[str, int]) -> RequirementResult:
    if counts.get(Outcome.FAILED) or counts.get(Outcome.ERROR):
        outcome = RequirementOutcome.FAILED
    elif counts.get(Outcome.INCONCLUSIVE):
        outcome = RequirementOutcome.INCONCLUSIVE
    elif counts.get(Outcome.PASSED):
        outcome = RequirementOutcome.PASSED
    else:
        outcome = RequirementOutcome.UNTESTED
    return RequirementResult(
        id=row.id,
        title=row.title,
        level=row.level,
        outcome=outcome,
        cases=dict(counts),
        source=row.source,
        statement=row.statement,
        related=tuple(
            RelatedRequirement(id=one.id, title=one.title, source=one.source)
            for one in RELATED
            if row.id in one.requirements
        ),
    )


def _failures(run: Run) -> list[str]:
    total = len(run.cases)
    reasons = []
    if failed := len(run.ended(Outcome.FAILED)):
        reasons.append(f"{failed} of {total} cases failed")
    if blocked := len(run.ended(Outcome.BLOCKED)):
        reasons.append(f"{blocked} of {total} cases were blocked by another case")
    if broken := len(run.ended(Outcome.ERROR)):
        reasons.append(f"{broken} of {total} cases broke before they could judge")
    return reasons


def _troubles(run: Run) -> list[str]:
    """Why the suite could not judge, one line for each reason."""
    found = Counter(
        case.reason.partition("\n")[0].removeprefix("inconclusive: ") for case in run.ended(Outcome.INCONCLUSIVE)
    )
    return [f"{count} of {len(run.cases)} cases were not judged: {reason}" for reason, count in found.items()]


def _consequences(run: Run) -> list[str]:
    reasons = []
    if not _core_case_ran(run.cases.values()):
        reasons.append("no case of a core requirement ran")
    if run.restore.outcome == "failed":
        reasons.append("the cluster could not be put back as it was found")
    return reasons


def _core_case_ran(cases: Iterable[Case]) -> bool:
    return any(
        case.outcome in _JUDGED and any(REQUIREMENTS[name].level == "core" for name in case.requirements)
        for case in cases
    )


def _omissions(run: Run, requirements: Iterable[RequirementResult]) -> list[str]:
    reasons = list(dict.fromkeys(run.narrowed))
    if run.deselected:
        reasons.append(f"{run.deselected} cases deselected")
    left_out: Counter[str] = Counter()
    for one in run.left_out:
        left_out[one.reason] += one.places
    reasons += [f"left out at {count} places: {reason}" for reason, count in left_out.items()]
    if unfinished := len(set(run.selected) - run.cases.keys()):
        reasons.append(f"{unfinished} of {len(run.selected)} selected cases did not run to their end")
    core = [row.outcome for row in requirements if row.level == "core"]
    if unjudged := sum(outcome in NOT_JUDGED for outcome in core):
        reasons.append(f"{unjudged} of {len(core)} core requirements were not judged")
    return reasons
