"""Pages lead somewhere: links, paths and options that they name exist."""

import re
from enum import StrEnum
from pathlib import Path

import pytest

from conformance.delivery.options import DeliveryOptions
from conformance.expect.kinds import GeometryKind
from conformance.fixtures.options import GROUPS
from conformance.flags import flags
from conformance.preflight.table import CHECKS
from conformance.preflight.text import requirements
from conformance.report.model import Outcome, Verdict
from conformance.report.options import ReportOptions
from conformance.spec.names import State, Strategy
from conformance.suite.scenario import Effect
from tests.docs.markdown import ROOT, leads_nowhere, links, pages

_PATH = re.compile(r"`((?:conformance|tests|tools|docs|manifests|reports)/[\w./-]*\w)`")


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_paths_exist(page: Path) -> None:
    lost = [target for target in links(page) if leads_nowhere(target, page.parent, page)]
    lost += [path for path in _PATH.findall(page.read_text(encoding="utf-8")) if not (ROOT / path).exists()]

    assert lost == []


def test_readme_has_every_option() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    names = [
        name
        for table in (*GROUPS.values(), ReportOptions, DeliveryOptions)
        for _, flag in flags(table, shared_only=True)
        for name in flag.names
    ]

    assert names
    assert [name for name in names if not re.search(rf"{name}\b", readme)] == []


@pytest.mark.parametrize(
    "words", [Effect, GeometryKind, Outcome, State, Strategy, Verdict], ids=lambda words: words.__name__
)
def test_glossary_has_every_word_of_the_code(words: type[StrEnum]) -> None:
    glossary = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")

    assert [word for word in words if f"`{word}`" not in glossary] == []


def test_every_check_of_preflight_is_on_its_page() -> None:
    page = (ROOT / "docs" / "preflight.md").read_text(encoding="utf-8")
    rows = [row for row in page.splitlines() if row.startswith("| `") and row.count("|") == 5]
    assert rows == [
        f"| `{check.id}` | {check.severity} | {check.title} | {requirements(check.rules_out) or '-'} |"
        for check in CHECKS
    ]
