"""`summary.md`: verdict, scope and failed requirements in a page that fits a pull request or a chat."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from conformance.report.assemble import gpu_kind, versions
from conformance.report.layout import capped
from conformance.report.markdown import code, literal, shortened, table
from conformance.report.model import NOT_JUDGED, Case, Outcome, Report, RequirementOutcome, RequirementResult

SUMMARY_FILE: Final = "summary.md"
_MARK: Final = {"certified": "✅", "partial": "🟡", "inconclusive": "🟡", "not-certified": "❌"}
_LISTED: Final = 10
_ITEMS: Final = 3


def summary_text(report: Report) -> str:
    """Return the page of a report."""
    lines = [
        f"## {_MARK[report.verdict]} MIG conformance: {report.verdict}",
        "",
        _sentence(report),
        *(f"- {literal(shortened(reason))}" for reason in capped(report.reasons, _LISTED)),
        *_failed(report),
        *_not_judged(report),
        *_scope(report),
    ]
    return "\n".join(lines) + "\n"


def _sentence(report: Report) -> str:
    judged = sum(row.outcome not in NOT_JUDGED for row in report.requirements)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in report.summary.items() if count) or "no case"
    ended = "It was interrupted. " if report.interrupted else ""
    return (
        f"The run speaks of {judged} of {len(report.requirements)} requirements: {counts}, in {report.duration:.0f} s. "
        f"{ended}Exit status {report.exit_status}; `{report.require}` was required."
    )


def _failed(report: Report) -> Iterator[str]:
    rows = [row for row in report.requirements if row.outcome is RequirementOutcome.FAILED]
    if not rows:
        return
    yield from ("", "### Failed requirements")
    yield from table(("requirement", "node", "expected", "found", "next step"), map(_row, *_with_case(report, rows)))
    if len(rows) > _LISTED:
        yield from ("", f"and {len(rows) - _LISTED} more")


def _with_case(report: Report, rows: Sequence[RequirementResult]) -> tuple[Sequence[RequirementResult], Sequence[Case]]:
    bad = [case for case in report.cases if case.outcome in (Outcome.FAILED, Outcome.ERROR)]
    shown = rows[:_LISTED]
    # A finding tells more than an error.
    first = sorted(bad, key=lambda case: case.finding is None)
    return shown, [next(case for case in first if row.id in case.requirements) for row in shown]


def _row(row: RequirementResult, case: Case) -> tuple[str, ...]:
    if case.finding is not None:
        expected, found = _items(case.finding.expected), _items(case.finding.found)
    else:
        expected, found = "", literal(shortened(case.reason.partition("\n")[0]))
    step = literal(case.next_steps[0].partition(": `")[0]) if case.next_steps else ""
    return literal(f"{row.id} {row.title}"), literal(case.node), expected, found, step


def _items(items: Sequence[str]) -> str:
    return "<br>".join(code(shortened(item)) for item in capped(items, _ITEMS)) or "nothing"


def _not_judged(report: Report) -> Iterator[str]:
    unknown = [row.id for row in report.requirements if row.outcome is RequirementOutcome.INCONCLUSIVE]
    untested = [row.id for row in report.requirements if row.outcome is RequirementOutcome.UNTESTED]
    if not unknown and not untested:
        return
    yield from ("", "### Not judged", "")
    if unknown:
        yield f"- inconclusive: {literal(', '.join(unknown))}"
    if untested:
        yield f"- untested: {literal(', '.join(untested))}"
    for one in report.not_tested[:_LISTED]:
        if one.cases:
            yield f"- {one.cases} {one.cause}: {literal(shortened(one.reason))}"


def _scope(report: Report) -> Iterator[str]:
    found = {name: version or "unknown" for name, version in versions(report.environment).items()}
    models = dict.fromkeys(node.gpu_model for node in report.environment.nodes)
    nodes = capped([node.name for node in report.environment.nodes], _ITEMS)
    rows = {
        "cluster": f"{report.backend}, {gpu_kind(report)} GPUs, profile {report.profile}",
        "nodes": ", ".join(nodes) or "none",
        "GPUs": ", ".join(models) or "none",
        "versions": ", ".join(f"{name.replace('_', ' ')} {version}" for name, version in found.items()),
        "suite": report.suite_version,
        "started": report.started,
    }
    yield from ("", "### Scope")
    yield from table(("what", "value"), ((name, literal(value)) for name, value in rows.items()))
    if report.invocation.command:
        yield from ("", f"Repeat it with {code(report.invocation.command)}")
