"""Whatever the code cites can be opened: a page of docs/, a file of the project, or one of an upstream repository."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.report.outputs import WRITERS
from conformance.spec.requirements import REQUIREMENTS
from tests.docs.markdown import ROOT, anchors, leads_nowhere, slug

RUNBOOK = ROOT / "docs" / "reference" / "runbook.md"
_PAGE = re.compile(r"[\w./-]+\.md\b(?:#[\w-]+)?")
_OWN_FILE = re.compile(r"(?<![\w/])(?:tests|tools|manifests|docs)/[\w./*-]*[\w*]")
_UPSTREAM = re.compile(r"k8s-device-plugin|mig-parted|gpu-operator")
_RUNBOOK = re.compile(r'runbook, (?:flowchart )?("[^"]+"(?: and "[^"]+")*)')


def sources() -> Iterator[tuple[str, str]]:
    """Every line of the package and of its tests but these, with its place."""
    here = Path(__file__).parent
    for path in sorted((*(ROOT / "conformance").rglob("*"), *(ROOT / "tests").rglob("*"))):
        if path.suffix in (".py", ".yaml") and path.parent != here:
            for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
                yield f"{path.relative_to(ROOT)}:{number}", line


def cited(line: str) -> list[str]:
    """Pages that a line cites, without those that a run writes, and those of upstream repositories that it names."""
    pages = [name for name in _PAGE.findall(line) if not name.startswith("docs/")]
    found = [name for name in pages if "/" not in name and _UPSTREAM.search(line)]
    return [name for name in _PAGE.findall(line) if name not in (*found, *WRITERS)]


def test_every_page_that_is_cited_exists_with_its_anchor() -> None:
    lost = [f"{place}: {name}" for place, line in sources() for name in cited(line) if leads_nowhere(name, ROOT)]

    assert lost == []


def test_every_file_of_the_project_that_the_package_cites_exists() -> None:
    lost = [
        f"{place}: {name}"
        for place, line in sources()
        if place.startswith("conformance/")
        for name in _OWN_FILE.findall(line)
        if not name.startswith("docs/") and not any(ROOT.glob(name))
    ]

    assert lost == []


def test_every_section_of_the_runbook_that_is_cited_exists() -> None:
    said = [
        name for _, line in sources() for names in _RUNBOOK.findall(line) for name in re.findall('"([^"]+)"', names)
    ]
    for row in REQUIREMENTS.values():
        section = row.source.removeprefix("runbook, ").partition(";")[0]
        said.append(section)

    assert said
    assert [name for name in said if slug(name) not in anchors(RUNBOOK)] == []


def test_nothing_is_cited_that_stays_behind() -> None:
    words = re.compile(r"\bgolden\b|platform-experiments|device-plugin-and-gfd|field-reports|/work/")

    assert [place for place, line in sources() if words.search(line)] == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("see docs/reference/kubelet.md#capacity", ["docs/reference/kubelet.md#capacity"]),
        ("NVIDIA/mig-parted, CHANGELOG.md up to v0.15.0", []),
        ("as mig-manager.md 3 says", ["mig-manager.md"]),
    ],
)
def test_citations_are_found(line: str, expected: list[str]) -> None:
    assert cited(line) == expected


def test_an_anchor_that_is_gone_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n## Apply & verify\n\n```\n## no heading\n```\n", encoding="utf-8")

    assert not leads_nowhere("page.md#apply--verify", tmp_path)
    assert leads_nowhere("page.md#no-heading", tmp_path)
    assert leads_nowhere("other.md", tmp_path)
