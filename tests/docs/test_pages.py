"""Pages lead somewhere: links, paths and options that they name exist."""

import re
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT, leads_nowhere, links, pages

_PATH = re.compile(r"`((?:conformance|tests|tools|docs|manifests|reports)/[\w./-]*\w)`")


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_paths_exist(page: Path) -> None:
    lost = [target for target in links(page) if leads_nowhere(target, page.parent, page)]
    lost += [path for path in _PATH.findall(page.read_text(encoding="utf-8")) if not (ROOT / path).exists()]

    assert lost == []
