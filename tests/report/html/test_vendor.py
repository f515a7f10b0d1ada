"""What was brought from npm is what its README says."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT

FOLDERS = (ROOT / "conformance/report/html/vendor/vis-timeline", ROOT / "tests/report/html/vendor/axe-core")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_files_are_those_of_the_readme(folder: Path) -> None:
    readme = (folder / "README.md").read_text(encoding="utf-8")
    listed = dict(re.findall(r"^\| `([^`]+)` \| .* \| `([0-9a-f]{64})` \|$", readme, re.MULTILINE))

    found = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    found.pop("README.md")
    assert found == listed
