"""What changed between two runs: verdict, requirements, cases, versions and convergence times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from pydantic import Field

from conformance.report.layout import capped
from conformance.report.markdown import literal, shortened, table
from conformance.report.model import BAD_OUTCOMES, Outcome, Report, RequirementOutcome, Verdict
from conformance.report.observations import ChangeKind, Part

_RANK: Final = (Verdict.NOT_CERTIFIED, Verdict.INCONCLUSIVE, Verdict.PARTIAL, Verdict.CERTIFIED)
_LISTED: Final = 50


class Changed(Part):
    """Something whose value differs between the runs. None means that a run does not have it."""

    name: str
    old: str | None
    new: str | None
    regression: bool = False


class ConvergenceChange(Part):
    """The median of one kind of change in both runs, in seconds of the cluster's clock."""

    gpu_model: str
    change: ChangeKind
    old: float | None
    new: float | None


class Comparison(Part):
    """The differences between two runs.

    A regression is a lower verdict, a requirement that passed and does not pass any more, or a case that passed and
    then failed, broke or was blocked. Times are shown, and are no regression: they vary from run to run.
    """

    regression: bool = Field(description="Whether anything is worse.")
    verdict: Changed
    run: tuple[Changed, ...] = Field(description="Id, start, suite version, profile and nodes, also where they agree.")
    requirements: tuple[Changed, ...]
    cases: tuple[Changed, ...] = Field(description="Cases of both runs that ended differently.")
    added: tuple[str, ...] = Field(description="Cases of the new run alone.")
    gone: tuple[str, ...] = Field(description="Cases of the old run alone.")
    versions: tuple[Changed, ...]
    convergence: tuple[ConvergenceChange, ...]


def compare(old: Report, new: Report) -> Comparison:
    """Compare two reports."""
    before, after = ({case.id: case.outcome for case in report.cases} for report in (old, new))
    lower = _RANK.index(new.verdict) < _RANK.index(old.verdict)
    verdict = Changed(name="verdict", old=old.verdict.value, new=new.verdict.value, regression=lower)
    requirements, cases = tuple(_requirements(old, new)), tuple(_cases(before, after))
    return Comparison(
        regression=any(one.regression for one in (verdict, *requirements, *cases)),
        verdict=verdict,
        run=tuple(_heads(old, new)),
        requirements=requirements,
        cases=cases,
        added=tuple(name for name in after if name not in before),
        gone=tuple(name for name in before if name not in after),
        versions=tuple(_versions(old, new)),
        convergence=tuple(_convergence(old, new)),
    )


def _heads(old: Report, new: Report) -> Iterator[Changed]:
    for name in ("run", "started", "suite_version", "profile"):
        yield Changed(name=name, old=str(getattr(old, name)), new=str(getattr(new, name)))
    nodes = (", ".join(capped([node.name for node in one.environment.nodes], 5)) for one in (old, new))
    yield Changed(name="nodes", old=next(nodes), new=next(nodes))


def _requirements(old: Report, new: Report) -> Iterator[Changed]:
    before, after = ({row.id: row for row in report.requirements} for report in (old, new))
    for name in dict.fromkeys((*before, *after)):
        was, now = (rows[name].outcome if name in rows else None for rows in (before, after))
        if was is not now:
            worse = was is RequirementOutcome.PASSED and now is not None
            yield Changed(name=name, old=was, new=now, regression=worse)


def _cases(before: Mapping[str, Outcome], after: Mapping[str, Outcome]) -> Iterator[Changed]:
    for name, now in after.items():
        if (was := before.get(name)) is not None and was is not now:
            worse = was is Outcome.PASSED and now in BAD_OUTCOMES
            yield Changed(name=name, old=was.value, new=now.value, regression=worse)


def _versions(old: Report, new: Report) -> Iterator[Changed]:
    before, after = (report.environment.model_dump(exclude={"nodes"}) for report in (old, new))
    for name, was in before.items():
        if was != after[name]:
            yield Changed(name=name, old=was or None, new=after[name] or None)


def _convergence(old: Report, new: Report) -> Iterator[ConvergenceChange]:
    before, after = ({(it.gpu_model, it.change): it.median for it in report.convergence} for report in (old, new))
    for model, kind in dict.fromkeys((*before, *after)):
        was, now = before.get((model, kind)), after.get((model, kind))
        yield ConvergenceChange(gpu_model=model, change=kind, old=was, new=now)


# The page ------------------------------------------------------------------------------------------------------------


def comparison_text(found: Comparison) -> str:
    """Return the comparison as a page in Markdown."""
    worse = [one for one in (found.verdict, *found.requirements, *found.cases) if one.regression]
    said = f"{len(worse)} regressions" if len(worse) != 1 else "1 regression"
    head = [f"## {'❌' if worse else '✅'} MIG conformance compared: {said}"]
    convergence = [
        Changed(name=f"{it.gpu_model}, {it.change}", old=_seconds(it.old), new=_seconds(it.new))
        for it in found.convergence
    ]
    lines = [
        *head,
        *_rows((*found.run, found.verdict), "what"),
        *_section("Requirements", "requirement", found.requirements),
        *_section("Cases", "case", sorted(found.cases, key=lambda one: not one.regression)),
        *_names("Cases of the new run alone", found.added),
        *_names("Cases of the old run alone", found.gone),
        *_section("Versions", "component", found.versions),
        *_section("Convergence, median", "change", convergence),
    ]
    return "\n".join(lines) + "\n"


def _section(title: str, what: str, changes: tuple[Changed, ...] | list[Changed]) -> Iterator[str]:
    if changes:
        yield from ("", f"### {title}")
        yield from _rows(changes[:_LISTED], what)
        if len(changes) > _LISTED:
            yield from ("", f"and {len(changes) - _LISTED} more")


def _rows(changes: tuple[Changed, ...] | list[Changed], what: str) -> Iterator[str]:
    yield from table((what, "old", "new"), map(_row, changes))


def _row(one: Changed) -> tuple[str, str, str]:
    mark = " ❌" if one.regression else ""
    return literal(one.name), literal(one.old or "none"), literal(one.new or "none") + mark


def _names(title: str, names: tuple[str, ...]) -> Iterator[str]:
    if names:
        yield from ("", f"### {title}", "")
        yield from (f"- {literal(shortened(name))}" for name in capped(names, _LISTED))


def _seconds(value: float | None) -> str | None:
    return None if value is None else f"{value:.1f} s"
