"""The backend with its programs: simulated GPU nodes on a real control plane, whole and as envtest brings it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from conformance.backends.control_plane import Binaries, ControlPlane
from conformance.backends.simulated import WithSimulatedGpus
from conformance.backends.simulation import SimOptions
from conformance.cluster.pod_view import PodView
from conformance.operations.evidence import Outcome
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.reconfigure import reconfigure
from conformance.spec.names import DRIVER_APP, DRIVER_CONTAINER, GPU_RESOURCE

SMALL = SimOptions("a30-24gb", gpus_per_node=2, gpu_nodes=1, faults=(), release="v26.7.0", seed=0)
NODE = "sim-0"


@pytest.fixture(scope="module", params=["with scheduler and controllers", "without"])
def programs(request: pytest.FixtureRequest, binaries: Binaries) -> Binaries:
    if request.param == "without":
        return replace(binaries, scheduler=None, controller_manager=None)
    if not (binaries.scheduler and binaries.controller_manager):
        pytest.skip("no kube-scheduler or kube-controller-manager: build them with tools/control-plane/build.sh")
    return binaries


@pytest.fixture(scope="module")
def cluster(programs: Binaries) -> Iterator[MigCluster]:
    backend = WithSimulatedGpus(
        ControlPlane(programs),
        SMALL,
        with_scheduler=programs.scheduler is None,
        with_controllers=programs.controller_manager is None,
    )
    try:
        attachment = backend.start()
        with MigCluster.connect(attachment.kubeconfig, clock=attachment.clock, namespace="default") as cluster:
            yield cluster
    finally:
        backend.stop()
    assert not attachment.kubeconfig.exists()


def test_a_node_is_reconfigured_and_its_instances_are_given_to_pods(cluster: MigCluster) -> None:
    evidence = reconfigure(cluster, {NODE: "all-1g.6gb"})[NODE]
    assert (evidence.outcome, evidence.problem) == (Outcome.SUCCESS, "")
    assert any("Successfully updated to MIG config: all-1g.6gb" in line for line in evidence.manager_log)
    cluster.wait(lambda: cluster.node(NODE).advertised == {GPU_RESOURCE: 8}, "eight instances", 120)

    cluster.create_pod(_asking_for(8, "served"))
    cluster.wait(lambda: _pod(cluster, "served").phase == "Running", "all instances in use", 120)
    cluster.create_pod(_asking_for(1, "refused"))
    message = cluster.wait(lambda: _pod(cluster, "refused").message, "the scheduler's answer", 120)

    assert message.startswith("0/1 nodes are available: 1 Insufficient nvidia.com/gpu.")


def test_a_command_goes_through_the_api_server(cluster: MigCluster) -> None:
    pod = cluster.operands(NODE, DRIVER_APP)[0]

    listed = cluster.execute(pod, ["nvidia-smi", "-L"], DRIVER_CONTAINER)
    unknown = cluster.execute(pod, ["no-such-program"], DRIVER_CONTAINER)

    assert (listed.exit_code, unknown.exit_code) == (0, 127)
    assert [line.split(":")[0] for line in listed.stdout.splitlines() if line.startswith("GPU")] == ["GPU 0", "GPU 1"]


def _pod(cluster: MigCluster, name: str) -> PodView:
    pod = cluster.pod(name)
    assert pod is not None
    return pod


def _asking_for(count: int, name: str) -> dict[str, Any]:
    container = {
        "name": "main",
        "image": "i",
        "command": ["sleep", "infinity"],
        "resources": {"limits": {GPU_RESOURCE: str(count)}},
    }
    return {"metadata": {"name": name}, "spec": {"containers": [container]}}
