"""The operator and Node Feature Discovery run in pods: without their pods nobody does their work."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from conformance.sim.cluster import SimOptions, SimulatedCluster
from tests.sim.official import kubectl

NAMESPACE = "--namespace=gpu-operator"
OPERATOR = "gpu-operator"
MASTER = "gpu-operator-node-feature-discovery-master"
DEPLOY = "nvidia.com/gpu.deploy.node-status-exporter"
FEATURE = "feature.node.kubernetes.io/pci-10de.present"
PATIENCE = "--timeout=60s"

Kubectl = Callable[..., str]


@pytest.fixture(scope="module")
def run() -> Iterator[Kubectl]:
    with SimulatedCluster(SimOptions(gpu_nodes=1, gpus_per_node=1, other_nodes="tesla-t4")) as cluster:
        yield lambda *arguments: kubectl(cluster.kubeconfig, *arguments)


def label(run: Kubectl, name: str) -> str:
    escaped = name.replace(".", "\\.")
    return run("get", "node", "sim-0", "-o", f"jsonpath={{.metadata.labels.{escaped}}}")


def await_label(run: Kubectl, name: str) -> None:
    escaped = name.replace(".", "\\.")
    run("wait", f"--for=jsonpath={{.metadata.labels.{escaped}}}=true", "node/sim-0", PATIENCE)


@pytest.mark.parametrize(
    ("deployment", "pods", "owned"),
    [(OPERATOR, "app=gpu-operator", DEPLOY), (MASTER, "role=master", FEATURE)],
)
def test_a_controller_works_while_its_pod_runs(run: Kubectl, deployment: str, pods: str, owned: str) -> None:
    """A label of its own that somebody removes stays away without the pod; the next pod sets it when it starts."""
    run("scale", f"deployment/{deployment}", NAMESPACE, "--replicas=0")
    run("wait", "--for=delete", "pod", NAMESPACE, f"--selector={pods}", PATIENCE)
    run("label", "node", "sim-0", f"{owned}-")
    assert label(run, owned) == ""

    run("scale", f"deployment/{deployment}", NAMESPACE, "--replicas=1")

    await_label(run, owned)
    run("wait", "--for=jsonpath={.status.availableReplicas}=1", f"deployment/{deployment}", NAMESPACE, PATIENCE)


def test_a_worker_publishes_the_features_when_it_starts(run: Kubectl) -> None:
    run("delete", "nodefeature", "sim-0", NAMESPACE)

    run("delete", "pod", NAMESPACE, "--selector=role=worker", "--field-selector=spec.nodeName=sim-0")

    run("wait", "--for=create", "nodefeature/sim-0", NAMESPACE, PATIENCE)
    await_label(run, FEATURE)


def test_they_run_where_no_gpu_is_tested_if_there_is_such_a_node(run: Kubectl) -> None:
    nodes = run("get", "pods", NAMESPACE, "--selector=app=gpu-operator", "-o", "jsonpath={.items[*].spec.nodeName}")

    assert nodes == "sim-other-0"


def test_the_operator_runs_as_the_release_of_its_image(run: Kubectl) -> None:
    images = "jsonpath={.items[*].spec.containers[*].image}"
    image = run("get", "pods", NAMESPACE, "--selector=app=gpu-operator", "-o", images)

    assert image == "nvcr.io/nvidia/gpu-operator:v26.7.0"
    assert "ClusterPolicy is ready" in run("logs", NAMESPACE, f"deployment/{OPERATOR}")
