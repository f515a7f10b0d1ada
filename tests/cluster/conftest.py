"""The stand, and the suite's own connection to it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.cluster.client import Cluster
from tests.cluster.stand import QUICK, Loop, Stand


@pytest.fixture(scope="session")
def loop() -> Iterator[Loop]:
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def stand(loop: Loop, tmp_path: Path) -> Iterator[Stand]:
    stand = Stand(loop, tmp_path)
    yield stand
    stand.stop()


@pytest.fixture
def cluster(stand: Stand) -> Iterator[Cluster]:
    """Connected to a stand that has node `a` with eight GPUs, MIG off."""
    stand.node("a", {"nvidia.com/mig.capable": "true", "nvidia.com/mig.config": "all-disabled"}, gpu=8)
    stand.label("a", mig__config__state="success")
    with Cluster.connect(stand.kubeconfig, limits=QUICK) as cluster:
        yield cluster
