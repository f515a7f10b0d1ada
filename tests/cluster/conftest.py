"""The suite's own connection to a stand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from conformance.cluster.client import Cluster
from tests.cluster.stand import QUICK, Stand


@pytest.fixture
def cluster(stand: Stand) -> Iterator[Cluster]:
    """Connected to a stand that has node `a` with eight GPUs, MIG off."""
    stand.node("a", {"nvidia.com/mig.capable": "true", "nvidia.com/mig.config": "all-disabled"}, gpu=8)
    stand.label("a", mig__config__state="success")
    with Cluster.connect(stand.kubeconfig, limits=QUICK) as cluster:
        yield cluster
