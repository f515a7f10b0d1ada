"""What tests of several rooms need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from conformance.backends.backend import BackendError
from conformance.backends.control_plane import Binaries, ControlPlane, find_binaries
from conformance.operations.mig_cluster import MigCluster
from tests.cluster.stand import QUICK, Loop, Stand
from tests.slow import ASKED_FOR


def pytest_sessionstart() -> None:
    """Set no deadline for an example of hypothesis: how long it takes says how busy the machine is.

    The examples are the same in every run, so that a run is red for what was changed; `make slow` looks for new ones.

    Not when this file is imported: pytest also imports it for a run of the suite, before it knows the suite's
    options, and hypothesis need not be installed there.
    """
    from hypothesis import settings

    settings.register_profile("suite", deadline=None, derandomize=not ASKED_FOR)
    settings.load_profile("suite")


@pytest.fixture(scope="session")
def binaries() -> Binaries:
    """Programs of a real control plane; who asks for them is skipped where there are none."""
    try:
        return find_binaries()
    except BackendError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def control_plane(binaries: Binaries) -> Iterator[Path]:
    """Kubeconfig of a real control plane without nodes, the same for all tests."""
    plane = ControlPlane(binaries)
    yield plane.start().kubeconfig
    plane.stop()


@pytest.fixture(scope="session")
def loop() -> Iterator[Loop]:
    """The event loop of all stands, in a thread of its own."""
    loop = Loop()
    yield loop
    loop.close()


@pytest.fixture
def stand(loop: Loop, tmp_path: Path) -> Iterator[Stand]:
    """An embedded API server with a ClusterPolicy and nothing else."""
    stand = Stand(loop, tmp_path)
    yield stand
    stand.stop()


@pytest.fixture
def cluster(stand: Stand) -> Iterator[MigCluster]:
    """Connected to a stand that has node `a` with eight GPUs, MIG off."""
    stand.node("a", {"nvidia.com/mig.capable": "true", "nvidia.com/mig.config": "all-disabled"}, gpu=8)
    stand.label("a", mig__config__state="success")
    with MigCluster.connect(stand.kubeconfig, limits=QUICK) as cluster:
        yield cluster
