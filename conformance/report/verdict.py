"""From finished cases to the verdict. Pure: no clock, no files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from conformance.report.model import Case, Outcome, RequirementOutcome, RequirementResult, Verdict
from conformance.report.run import Run
from conformance.spec.requirements import REQUIREMENTS, Requirement

_JUDGED = (Outcome.PASSED, Outcome.FAILED, Outcome.ERROR)


@dataclass(frozen=True)
class Judgement:
    """The verdict, why it is not `certified` (empty when it is), and the requirements it rests on."""

    verdict: Verdict
    reasons: tuple[str, ...]
    requirements: tuple[RequirementResult, ...]

    @property
    def tested(self) -> int:
        """Number of requirements that at least one case judged."""
        return sum(result.outcome is not RequirementOutcome.UNTESTED for result in self.requirements)


def judge(run: Run) -> Judgement:
    """Judge everything that ran.

    `certified` takes that nothing failed, that the cluster was left as found, that a core case ran, and that
    nothing was left out. Requirements without any case do not stand in the way: they are named as untested.
    """
    cases = list(run.cases.values())
    requirements = requirement_results(cases)
    failures = _failures(run, cases)
    omissions = _omissions(run, requirements)
    if failures:
        verdict = Verdict.NOT_CERTIFIED
    elif omissions:
        verdict = Verdict.PARTIAL
    else:
        verdict = Verdict.CERTIFIED
    return Judgement(verdict, (*failures, *omissions), requirements)


def requirement_results(cases: Iterable[Case]) -> tuple[RequirementResult, ...]:
    """One result per documented requirement, in the order of the document."""
    by_requirement: dict[str, Counter[str]] = {}
    for case in cases:
        for requirement in case.requirements:
            by_requirement.setdefault(requirement, Counter())[case.outcome] += 1
    return tuple(_result(row, by_requirement.get(row.id, Counter())) for row in REQUIREMENTS.values())


def core_case_ran(cases: Iterable[Case]) -> bool:
    """Whether at least one case of a core requirement was judged."""
    return any(
        case.outcome in _JUDGED and any(REQUIREMENTS[name].level == "core" for name in case.requirements)
        for case in cases
    )


def _result(row: Requirement, counts: Mapping[str, int]) -> RequirementResult:
    if counts.get(Outcome.FAILED) or counts.get(Outcome.ERROR):
        outcome = RequirementOutcome.FAILED
    elif counts.get(Outcome.PASSED):
        outcome = RequirementOutcome.PASSED
    else:
        outcome = RequirementOutcome.UNTESTED
    return RequirementResult(
        id=row.id, title=row.title, level=row.level, outcome=outcome, cases=dict(counts), source=row.source
    )


def _failures(run: Run, cases: list[Case]) -> list[str]:
    reasons = []
    if failed := len(run.failed):
        reasons.append(f"{failed} of {len(cases)} cases did not pass")
    if not core_case_ran(cases):
        reasons.append("no case of a core requirement ran")
    if run.restore.outcome == "failed":
        reasons.append("the cluster could not be put back as it was found")
    return reasons


def _omissions(run: Run, requirements: Iterable[RequirementResult]) -> list[str]:
    reasons = list(run.narrowed)
    left_out = Counter(run.not_allowed.values())
    reasons += [f"{count} cases left out: {reason}" for reason, count in left_out.items()]
    reasons += [
        f"{result.id} was not judged: all its cases were skipped"
        for result in requirements
        if result.level == "core" and result.cases and set(result.cases) == {Outcome.SKIPPED.value}
    ]
    return reasons
