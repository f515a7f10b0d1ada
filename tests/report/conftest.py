from __future__ import annotations

from pathlib import Path

import pytest

from conformance.report import invocation
from tests.report.inner import Inner


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    """Runs of pytest for which `pytester.path` is the folder of the cases."""
    monkeypatch.setattr(invocation, "CASES", Path(pytester.path).resolve())
    return Inner(pytester)
