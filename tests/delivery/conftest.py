from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.cluster import paths
from conformance.cluster.client import SUITE_NAMESPACE
from conformance.report import invocation
from tests.cluster.stand import Loop, Stand
from tests.report.inner import Inner


@pytest.fixture
def inner(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Inner:
    """Runs of pytest for which `pytester.path` is the folder of the cases."""
    monkeypatch.setattr(invocation, "CASES", Path(pytester.path).resolve())
    return Inner(pytester)


@pytest.fixture
def site(loop: Loop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    """A cluster with the namespace of the suite."""
    stand = Stand(loop, tmp_path_factory.mktemp("site"))
    stand.hand.create(paths.namespaces(), {"metadata": {"name": SUITE_NAMESPACE}})
    yield stand
    stand.stop()
