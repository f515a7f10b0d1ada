"""The data that the scripts of the page need: the timelines of the nodes, and all cases."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from conformance.report.html.failures import Failure, Place
from conformance.report.html.packing import packed, table
from conformance.report.html.timeline import stretches
from conformance.report.model import Report
from conformance.report.observations import Stay


def data(report: Report, failures: Sequence[Failure]) -> dict[str, Any]:
    """Return what the page carries as JSON. Timelines and cases are packed: see `packing`."""
    marks = _marks(failures)
    return {"nodes": [_node(report, name, marks.get(name, {})) for name in _names(report)], "cases": _cases(report)}


_Marks = dict[Stay, list[tuple[Failure, Place]]]


def _marks(failures: Sequence[Failure]) -> dict[str, _Marks]:
    """The rules that do not hold, and where, by node and stay."""
    marks: dict[str, _Marks] = {}
    for failure in failures:
        for place in failure.places:
            if place.stay is not None:
                marks.setdefault(place.case.node, {}).setdefault(place.stay, []).append((failure, place))
    return marks


def _names(report: Report) -> Iterable[str]:
    """Every node of the environment and of the timelines."""
    return dict.fromkeys([*(node.name for node in report.environment.nodes), *report.timelines, *report.stays])


def _node(report: Report, name: str, marks: _Marks) -> dict[str, Any]:
    entries, stays = report.timelines.get(name, ()), report.stays.get(name, ())
    return {
        "name": name,
        "timeline": packed(table(stretches(entries, stays))) if entries or stays else "",
        "failures": [_mark(stay, failed) for stay, failed in sorted(marks.items(), key=lambda row: row[0].start)],
    }


def _mark(stay: Stay, failed: Sequence[tuple[Failure, Place]]) -> list[Any]:
    """Start, end, anchor of the first failure, a text for what failed, the cell's start, and lanes of the first."""
    ids = dict.fromkeys(id_ for failure, _ in failed for id_ in failure.first.case.requirements)
    text = f"{len(failed)} failed: {', '.join(ids)}"
    since = min(stay.start if place.since is None else place.since for _, place in failed)
    first, place = failed[0]
    return [round(since * 1000), round(stay.end * 1000), first.anchor, text, round(stay.start * 1000), place.lanes]


def _cases(report: Report) -> str:
    """All cases as rows of numbers: outcome, function, node, cell, duration in ms."""
    words: dict[str, int] = {}

    def number(text: str) -> int:
        return words.setdefault(text, len(words))

    rows: list[int] = []
    for case in report.cases:
        place = Place(case, None)
        rows += (
            number(case.outcome.value),
            number(case.function or case.id),
            number(case.node),
            number(place.cell),
            round(case.duration * 1000),
        )
    functions = {name: [rule.statement, list(rule.requirements)] for name, rule in report.functions.items()}
    return packed({"words": list(words), "functions": functions, "rows": rows})
