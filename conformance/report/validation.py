"""Reads a report from a file, and says what in it is incomplete, doubled or contradictory."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import from_json

from conformance.report.exit_status import suffices
from conformance.report.model import NOT_JUDGED, Outcome, Report, Verdict
from conformance.report.verdict import conclude, counts_by_requirement, outcome_of_counts

_VERSION: Final = Report.model_fields["schema_version"].default
_OK, _FAILED, _INTERRUPTED, _NOTHING = 0, 1, 2, 5
"""Exit statuses that depend on what is in the report."""
_LARGEST: Final = 1e15
"""No number of a report is larger: that many seconds are 30 million years. NaN is not smaller."""


class ReportError(Exception):
    """A file is no report, or a broken one.

    Attributes:
        problems: What is wrong, one line each.
    """

    def __init__(self, *problems: str) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def read_report(file: Path) -> Report:
    """Read a report, without looking at what it says.

    Raises:
        OSError: The file cannot be read.
        ReportError: It is truncated, of another schema version, not what the schema says, or has a number that nothing
            can have.
    """
    try:
        content = from_json(file.read_bytes())
    except ValueError as error:
        raise ReportError(f"no complete JSON, so it is truncated or no report: {error}") from error
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != _VERSION:
        found = "no schema_version" if version is None else f"schema_version {version!r}"
        raise ReportError(f"{found}: this release reads {_VERSION}")
    if numbers := list(_impossible(content, ())):
        raise ReportError(*numbers)
    try:
        return Report.model_validate(content)
    except ValidationError as error:
        lines = (f"{'.'.join(map(str, it['loc']))}: {it['msg']}" for it in error.errors(include_url=False))
        raise ReportError(*lines) from error


def problems(report: Report) -> list[str]:
    """Return what is doubled or contradictory in a report, one line each; empty if it is sound."""
    return [
        *_doubled(report),
        *_dangling(report),
        *_counts(report),
        *_verdict(report),
        *_status(report),
        *_measured(report),
    ]


def _impossible(content: Any, path: tuple[str, ...]) -> Iterator[str]:
    """Lines for the numbers that are none, infinite, or too large to be reckoned with."""
    if isinstance(content, dict):
        for name, value in content.items():
            yield from _impossible(value, (*path, name))
    elif isinstance(content, list):
        for place, value in enumerate(content):
            yield from _impossible(value, (*path, str(place)))
    elif isinstance(content, int | float) and not abs(content) <= _LARGEST:
        yield f"{'.'.join(path)}: no such number is possible"


def _doubled(report: Report) -> Iterator[str]:
    yield from _repeated("case", (case.id for case in report.cases))
    yield from _repeated("requirement", (row.id for row in report.requirements))
    yield from _repeated("node", (node.name for node in report.environment.nodes))


def _repeated(what: str, names: Iterable[str]) -> Iterator[str]:
    for name, count in Counter(names).items():
        if count > 1:
            yield f"{what} {name} is there {count} times"


def _dangling(report: Report) -> Iterator[str]:
    known = {row.id for row in report.requirements}
    for case in report.cases:
        if case.function and case.function not in report.functions:
            yield f"case {case.id}: functions have no {case.function}"
        if case.evidence is not None and case.evidence not in report.evidence:
            yield f"case {case.id}: evidence has no {case.evidence}"
        if unknown := sorted(set(case.requirements) - known):
            yield f"case {case.id}: requirements have no {', '.join(unknown)}"


def _counts(report: Report) -> Iterator[str]:
    outcomes = Counter(case.outcome.value for case in report.cases)
    for one in report.left_out:
        outcomes[one.outcome] += one.places
    for outcome in sorted({*report.summary, *outcomes}):
        if (said := report.summary.get(outcome, 0)) != outcomes[outcome]:
            yield f"summary says {said} {outcome}, the cases say {outcomes[outcome]}"
    counts = counts_by_requirement(report.cases, report.left_out)
    for row in report.requirements:
        found = counts.get(row.id, Counter())
        if Counter(row.cases) != found:
            yield f"requirement {row.id} says {_shown(row.cases)}, its cases say {_shown(found)}"
        elif row.outcome is not (outcome := outcome_of_counts(found)):
            yield f"requirement {row.id} is {row.outcome}, its cases make it {outcome}"


def _shown(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {outcome}" for outcome, count in sorted(counts.items()) if count) or "nothing"


def _verdict(report: Report) -> Iterator[str]:
    verdict, _ = conclude(report.cases, report.restore, report.requirements, report.reasons, status=report.exit_status)
    if verdict is not report.verdict:
        yield f"verdict is {report.verdict}, the outcomes make it {verdict}"
    elif (verdict is Verdict.CERTIFIED) != (not report.reasons):
        yield f"verdict is {report.verdict}, with {len(report.reasons)} reasons why it is not certified"
    elif verdict is Verdict.CERTIFIED:
        missing = [row.id for row in report.requirements if row.level == "core" and row.outcome in NOT_JUDGED]
        if missing:
            yield f"verdict is {report.verdict}, but core requirements were not judged: {', '.join(missing)}"
        if report.left_out:
            yield f"verdict is {report.verdict}, but {len(report.left_out)} entries were left out"


def _status(report: Report) -> Iterator[str]:
    status, enough = report.exit_status, suffices(report.verdict, report.require)
    said = f"exit status is {status}"
    if status == _OK and not enough:
        yield f"{said}, but verdict {report.verdict} is less than {report.require}, which is required"
    if status == _FAILED and enough and not any(case.outcome is Outcome.FAILED for case in report.cases):
        yield f"{said}, but verdict {report.verdict} is enough where {report.require} is required"
    if status == _NOTHING and report.cases:
        yield f"{said}: no case was selected, but there are {len(report.cases)}"
    if report.interrupted != (status == _INTERRUPTED):
        yield f"{said}, but interrupted is {str(report.interrupted).lower()}"


def _measured(report: Report) -> Iterator[str]:
    try:
        zone = datetime.fromisoformat(report.started).tzinfo
    except ValueError:
        zone = None
    if zone is None:
        yield f"started is {report.started}, which is no time of ISO 8601 with its zone"
    for one in report.convergence:
        if one.n < 1:
            yield f"convergence of {one.change} on {one.gpu_model} says {one.n} measurements"
