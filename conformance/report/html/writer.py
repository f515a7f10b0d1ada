"""Renders a `Report` as one page. Everything that the page needs is in it, and nothing is loaded."""

from __future__ import annotations

import base64
import hashlib
import importlib.resources
from collections.abc import Iterable
from itertools import groupby
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from conformance.report.assemble import gpu_kind, versions
from conformance.report.html.content import data
from conformance.report.html.failures import Failure, failures, unjudged
from conformance.report.html.sources import linked
from conformance.report.model import NOT_JUDGED, NodeEnvironment, Outcome, Report

PAGE_FILE: Final = "index.html"
_STYLES: Final = ("vendor/vis-timeline/vis-timeline-graph2d.min.css", "assets/page.css", "assets/timeline.css")
_SCRIPTS: Final = (
    "vendor/vis-timeline/vis-timeline-graph2d.min.js",
    "assets/data.js",
    "assets/cases.js",
    "assets/timeline.js",
    "assets/page.js",
)
_HERE: Final = importlib.resources.files(__package__)


def page_text(report: Report) -> str:
    """Return the page. Every text of the report is escaped by the template engine."""
    found = failures(report)
    scripts = [Markup(_asset(name)) for name in _SCRIPTS]  # noqa: S704 - our own files, not data of a run
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            report=report,
            failures=found,
            unjudged=unjudged(report),
            data=data(report, found),
            judged=sum(row.outcome not in NOT_JUDGED for row in report.requirements),
            failed_at=_failed_at(found),
            titles={row.id: row.title for row in report.requirements},
            cases_by_requirement=_functions(report),
            nodes=_alike(report.environment.nodes),
            versions=versions(report.environment),
            gpu_kind=gpu_kind(report),
            styles=[Markup(_asset(name)) for name in _STYLES],  # noqa: S704 - as above
            scripts=scripts,
            script_hashes=[_hash(script) for script in scripts],
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader(__package__),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["clock"] = clock
    environment.filters["linked"] = linked
    environment.filters["repeats"] = repeats
    return environment


def clock(seconds: float) -> str:
    """Return a time of the cluster's clock as hours, minutes and seconds: `0:16:08`."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def repeats(lines: Iterable[str]) -> list[tuple[str, int]]:
    """Return lines with the number of times that each stands there in a row."""
    return [(line, len(list(same))) for line, same in groupby(lines)]


def _failed_at(found: Iterable[Failure]) -> dict[str, str]:
    """Anchor of the first failure of each requirement."""
    anchors: dict[str, str] = {}
    for failure in found:
        for requirement in failure.first.case.requirements:
            anchors.setdefault(requirement, failure.anchor)
    return anchors


def _asset(name: str) -> str:
    """Text of a file of the page, without the address of a source map, which is not shipped."""
    text = _HERE.joinpath(name).read_text(encoding="utf-8")
    return "\n".join(line for line in text.splitlines() if "sourceMappingURL=" not in line)


def _hash(script: str) -> str:
    """Hash of a script for the content security policy, which lets no other script run."""
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")


def _functions(report: Report) -> dict[str, dict[str, dict[Outcome, int]]]:
    """Number of cases by requirement, function and outcome."""
    counts: dict[str, dict[str, dict[Outcome, int]]] = {}
    for case in report.cases:
        for requirement in case.requirements:
            by_outcome = counts.setdefault(requirement, {}).setdefault(case.function or case.id, {})
            by_outcome[case.outcome] = by_outcome.get(case.outcome, 0) + 1
    return counts


def _alike(nodes: tuple[NodeEnvironment, ...]) -> list[tuple[NodeEnvironment, list[str]]]:
    """Nodes that differ in their names only, with these names."""
    alike: dict[NodeEnvironment, list[str]] = {}
    for node in nodes:
        alike.setdefault(node.model_copy(update={"name": ""}), []).append(node.name)
    return list(alike.items())
