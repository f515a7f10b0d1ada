"""Summary of failures: the failed requirements, then one example for each case function."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from conformance.expect.finding import Finding
from conformance.report.layout import Row, capped
from conformance.report.model import Case, Outcome, Report, RequirementOutcome, RequirementResult

_BAD: Final = (Outcome.FAILED, Outcome.ERROR)
_LISTED_EXAMPLES: Final = 6
_LISTED_ITEMS: Final = 3
_FIELD_WIDTH: Final = 12


def failed_requirements(report: Report) -> Iterator[Row]:
    """Return one line for each requirement with a case that failed or broke."""
    failed = [row for row in report.requirements if row.outcome is RequirementOutcome.FAILED]
    if failed:
        yield Row("failed", tuple(_requirement(row) for row in failed), "red")


def findings(report: Report) -> Iterator[Row]:
    """Return one example for each case function that failed or broke: expected, found, and what to look at next.

    A step that several examples have is shown with the first of them.
    """
    functions: dict[str, list[Case]] = {}
    for case in report.cases:
        if case.outcome in _BAD:
            functions.setdefault(case.id.partition("[")[0], []).append(case)
    examples = list(functions.values())
    shown: set[str] = set()
    lines = [line for cases in examples[:_LISTED_EXAMPLES] for line in _example(cases, shown)]
    if left_out := sum(len(cases) for cases in examples[_LISTED_EXAMPLES:]):
        lines.append(f"and {left_out} cases of other functions, see the report")
    if lines:
        yield Row("findings", tuple(lines))


def _requirement(row: RequirementResult) -> str:
    bad = sum(row.cases.get(outcome, 0) for outcome in _BAD)
    return f"{row.id} {row.title}: {bad} of {sum(row.cases.values())} cases"


def _example(cases: Sequence[Case], shown: set[str]) -> Iterator[str]:
    first, *others = cases
    subject = first.finding.subject if first.finding else first.id.rpartition("::")[2]
    yield " ".join([*first.requirements, subject])
    yield from _finding(first.finding) if first.finding else _message(first.reason)
    if first.next_steps and first.next_steps[0] not in shown:
        shown.add(first.next_steps[0])
        yield from _field("next", first.next_steps[:1])
    if others:
        function = first.id.rpartition("::")[2].partition("[")[0]
        yield f"  and {len(others)} more of {function}"


def _finding(finding: Finding) -> Iterator[str]:
    yield from _field("expected", finding.expected or ("nothing",))
    yield from _field("found", finding.found or ("nothing",))
    yield from _field("missing", finding.missing)
    yield from _field("unexpected", finding.unexpected)


def _message(reason: str) -> Iterator[str]:
    for line in capped(reason.splitlines(), _LISTED_ITEMS):
        yield f"  {line}"


def _field(name: str, items: Sequence[str]) -> Iterator[str]:
    for position, item in enumerate(capped(items, _LISTED_ITEMS)):
        yield f"  {(name if position == 0 else '').ljust(_FIELD_WIDTH)}{item}"
