"""Pods of the operator and of Node Feature Discovery are found, deleted and followed."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.cluster import paths
from conformance.operations.controllers import (
    GONE,
    NFD_MASTER,
    NFD_WORKER,
    OPERATOR,
    REPLACED,
    Replacement,
    controller_pods,
)
from conformance.spec.names import DEVICE_PLUGIN_APP, OPERATOR_NAMESPACE
from tests.suite.memory import Memory

NFD = {"app.kubernetes.io/name": "node-feature-discovery"}
LABELS: dict[str, dict[str, str]] = {
    "operator": {"app": "gpu-operator"},
    "master": {**NFD, "role": "master"},
    "worker": {**NFD, "role": "worker"},
}
READY: dict[str, Any] = {"conditions": [{"type": "Ready", "status": "True"}]}


@pytest.fixture
def memory() -> Memory:
    memory = Memory()
    for name, labels in LABELS.items():
        memory.pod(f"{name}-1", labels=labels, status=READY)
    return memory


def found(memory: Memory, role: str, node: str | None = None) -> list[str]:
    return [pod.name for pod in controller_pods(memory.cluster, role, node)]


def test_they_are_found_by_their_labels(memory: Memory) -> None:
    assert found(memory, OPERATOR) == ["operator-1"]
    assert found(memory, NFD_MASTER) == ["master-1"]
    assert found(memory, NFD_WORKER, "sim-0") == ["worker-1"]
    assert found(memory, NFD_WORKER, "sim-1") == []


def test_pods_of_another_namespace_are_not(memory: Memory) -> None:
    memory.delete(paths.pod(OPERATOR_NAMESPACE, "master-1"))
    memory.pod("master-1", namespace="node-feature-discovery", labels=LABELS["master"], status=READY)

    assert found(memory, NFD_MASTER) == []


def test_they_are_no_operands(memory: Memory) -> None:
    memory.pod("plugin", labels={"app": DEVICE_PLUGIN_APP})

    assert [pod.name for pod in memory.cluster.operands("sim-0")] == ["plugin"]


def test_a_deleted_pod_is_back_when_another_one_is_ready(memory: Memory) -> None:
    replacement = Replacement(memory.cluster, controller_pods(memory.cluster, NFD_WORKER))
    assert (replacement.fates("sim-0"), replacement.is_back()) == ({NFD_WORKER: GONE}, False)

    memory.pod("worker-2", labels=LABELS["worker"])
    assert not replacement.is_back()

    memory.pod("worker-2", labels=LABELS["worker"], status=READY)
    assert (replacement.fates("sim-0"), replacement.is_back()) == ({NFD_WORKER: REPLACED}, True)


def test_a_node_is_told_of_its_own_worker_and_of_what_the_cluster_has_once(memory: Memory) -> None:
    memory.pod("worker-b", labels=LABELS["worker"], node="sim-1", status=READY)
    replacement = Replacement(memory.cluster, [*memory.cluster.pods(namespace=OPERATOR_NAMESPACE)])
    memory.pod("worker-c", labels=LABELS["worker"], node="sim-1", status=READY)

    assert replacement.fates("sim-0") == {OPERATOR: GONE, NFD_MASTER: GONE, NFD_WORKER: GONE}
    assert replacement.fates("sim-1") == {OPERATOR: GONE, NFD_MASTER: GONE, NFD_WORKER: REPLACED}


@pytest.mark.parametrize(
    ("log", "reconciled"),
    [
        ('INFO controllers.ClusterPolicy {"msg":"ClusterPolicy is ready."}', True),
        ("ClusterPolicy isn't ready  states not ready: [state-device-plugin]", True),
        ("attempting to acquire leader lease gpu-operator/53822513.nvidia.com", False),
    ],
)
def test_the_log_of_the_new_pod_says_whether_it_has_looked(memory: Memory, log: str, reconciled: bool) -> None:
    memory.logs["operator-1", "main"] = "ClusterPolicy is ready"
    replacement = Replacement(memory.cluster, controller_pods(memory.cluster, OPERATOR))
    memory.pod("operator-2", labels=LABELS["operator"], status=READY)
    assert not replacement.has_reconciled()

    memory.logs["operator-2", "main"] = log

    assert replacement.has_reconciled() is reconciled
