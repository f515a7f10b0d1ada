"""Who keeps GPUs busy is named, when the driver says that somebody does."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from conformance.cluster.errors import ClusterError
from conformance.spec.names import DCGM_EXPORTER_APP
from conformance.suite.gpu_holders import is_in_use, known_holders
from conformance.suite.node_in_cell import NodeInCell
from tests.suite.memory import Memory

REASON = 'level=error msg="The following GPUs could not be reset: GPU 00000000:07:00.0: In use by another client"'
EXPORTER = "nvcr.io/nvidia/k8s/dcgm-exporter:4.6.0"


@pytest.fixture
def memory() -> Memory:
    memory = Memory()
    memory.node()
    return memory


def holders(memory: Memory, *processes: str, reason: str = REASON, error: Exception | None = None) -> tuple[str, ...]:
    """What is found on a node on whose host these processes run."""

    def host_processes() -> tuple[str, ...]:
        if error is not None:
            raise error
        return processes

    workloads = SimpleNamespace(host_processes=host_processes)
    node: Any = SimpleNamespace(cluster=memory.cluster, name="sim-0", workloads=workloads)
    return known_holders(cast("NodeInCell", node), reason)


@pytest.mark.parametrize(
    ("reason", "in_use"),
    [
        (REASON, True),
        ("2 devices are currently being used by one or more other processes.", True),
        ('level=fatal msg="error destroying GPU instance: In use"', True),
        ("specified config nonsense does not exist", False),
        ("", False),
    ],
)
def test_the_driver_says_that_a_gpu_is_in_use(reason: str, in_use: bool) -> None:
    assert is_in_use(reason) is in_use


def test_a_pod_that_holds_a_slice_is_named_with_what_it_holds(memory: Memory) -> None:
    memory.pod("train", namespace="team", limits={"nvidia.com/mig-1g.10gb": "2"})
    memory.pod("done", namespace="team", limits={"nvidia.com/gpu": "1"}, status={"phase": "Succeeded"})
    memory.pod("elsewhere", namespace="team", limits={"nvidia.com/gpu": "1"}, node="sim-1")

    assert holders(memory) == ("pod team/train holds nvidia.com/mig-1g.10gb: 2: delete it, or wait for its end",)


def test_a_pod_of_dcgm_that_mig_manager_does_not_stop_is_named(memory: Memory) -> None:
    memory.pod("exporter", labels={"app": DCGM_EXPORTER_APP}, image=EXPORTER)
    memory.pod("theirs", namespace="monitoring", labels={"app": DCGM_EXPORTER_APP}, image=EXPORTER)

    (found,) = holders(memory)

    assert found.startswith(f"pod monitoring/theirs runs {EXPORTER}")


@pytest.mark.parametrize(
    ("process", "named"),
    [
        ("nv-hostengine", "nvidia-dcgm.service"),
        ("nvidia-persiste", "nvidia-persistenced.service"),
        ("Xorg", "display server"),
    ],
)
def test_a_known_process_of_the_host_is_named(memory: Memory, process: str, named: str) -> None:
    (found,) = holders(memory, "systemd", "kubelet", process)

    assert named in found


def test_persistenced_is_named_only_if_a_reset_failed(memory: Memory) -> None:
    """The driver's container runs it on every node, and instances come and go beside it."""
    assert (
        holders(memory, "nvidia-persiste", reason='msg="error destroying GPU instance: In use by another client"') == ()
    )


def test_nobody_is_named_for_another_reason(memory: Memory) -> None:
    memory.pod("train", namespace="team", limits={"nvidia.com/gpu": "1"})

    assert holders(memory, "nv-hostengine", reason="no such configuration") == ()


def test_processes_that_cannot_be_read_are_no_error(memory: Memory) -> None:
    assert holders(memory, error=ClusterError("no exec")) == ()
