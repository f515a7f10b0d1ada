"""Slices that are shared by time: the simulator shows what the real programs do, and the suite does not judge them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from conformance.cluster import paths
from conformance.cluster.connecting import connect
from conformance.cluster.limits import Limits
from conformance.cluster.transport import Transport
from conformance.spec.names import DEVICE_PLUGIN_CONFIG, OPERATOR_NAMESPACE
from conformance.suite.targets import find_targets
from tests.field_reports.whole import Somebody, somebody, text_of
from tests.suite.memory import Memory

SHARED = text_of("mig-timeslicing.yaml")
PLAIN = "version: v1"
MPS = "{version: v1, sharing: {mps: {resources: [{name: nvidia.com/gpu, replicas: 2}]}}}"
LIMIT = 60
"""Real seconds for the cluster to follow a change."""
SLICES = "nvidia.com/mig-3g.40gb"
RIGHT = {
    f"{SLICES}.count": "2",
    f"{SLICES}.product": "NVIDIA-H100-80GB-HBM3-MIG-3g.40gb-SHARED",
    f"{SLICES}.replicas": "4",
    f"{SLICES}.sharing-strategy": "time-slicing",
}


@pytest.fixture(scope="module")
def sharing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Somebody]:
    """A cluster under `mixed` with all-3g.40gb, whose slices are shared by default."""
    options = {"strategy": "mixed", "node_labels": {"nvidia.com/mig.config": "all-3g.40gb"}}
    with somebody(tmp_path_factory.mktemp("sharing"), **options) as one:
        with closing(connect(one.cluster.kubeconfig, None, Limits())) as hand:
            share(hand)
            until(hand, "8")
        yield one


@pytest.fixture
def hand(sharing: Somebody) -> Iterator[Transport]:
    with closing(connect(sharing.cluster.kubeconfig, None, Limits())) as transport:
        yield transport


def share(hand: Transport) -> None:
    content = {"metadata": {"name": "plugin-config"}, "data": {"shared": SHARED, "plain": PLAIN}}
    hand.create(paths.config_maps(OPERATOR_NAMESPACE), {"apiVersion": "v1", "kind": "ConfigMap"} | content)
    config = {"name": "plugin-config", "default": "shared"}
    hand.patch(paths.policy("cluster-policy"), {"spec": {"devicePlugin": {"config": config}}})


def until(hand: Transport, count: str) -> dict[str, Any]:
    """Watch the node until it advertises this many slices and its labels agree, and return it."""
    stream = hand.stream(paths.nodes(), {"watch": "1"}, LIMIT)
    with closing(stream):
        for line in stream:
            node: dict[str, Any] = json.loads(line)["object"]
            replicas = node["metadata"]["labels"].get(f"{SLICES}.replicas")
            if node["status"]["allocatable"].get(SLICES) == count and replicas == str(int(count) // 2):
                return node
    raise AssertionError(f"{SLICES} did not become {count} within {LIMIT} s")


def test_the_simulator_shows_shared_slices(hand: Transport) -> None:
    node = until(hand, "8")

    labels = node["metadata"]["labels"]
    assert {name: labels[name] for name in RIGHT} == RIGHT


def test_the_suite_says_that_it_does_not_judge_them(sharing: Somebody) -> None:
    ended = sharing.certify("--allow-disruptive", "--configuration=all-3g.40gb", "--configuration=all-disabled")

    assert ended.cases("failed") == ended.cases("error") == ended.cases("blocked") == set(), ended.output
    assert ended.report["verdict"] == "partial"
    (reason,) = {reason for reason in ended.left_out if "shared devices" in reason}
    assert reason == (
        "the suite does not judge shared devices: time-slicing of nvidia.com/mig-3g.40gb in file shared of ConfigMap "
        "plugin-config"
    )
    assert "test_every_gpu_carries_the_configured_geometry[mixed-all-3g.40gb-sim-0]" in ended.cases("passed")


def test_a_node_label_chooses_another_file_without_a_restart(hand: Transport) -> None:
    hand.patch(paths.node("sim-0"), {"metadata": {"labels": {DEVICE_PLUGIN_CONFIG: "plain"}}})
    labels = until(hand, "2")["metadata"]["labels"]

    assert labels[f"{SLICES}.product"] == "NVIDIA-H100-80GB-HBM3-MIG-3g.40gb"
    pods = hand.list(paths.pods(OPERATOR_NAMESPACE))
    restarts = [status["restartCount"] for pod in pods for status in pod["status"].get("containerStatuses", ())]
    assert not any(restarts)
    hand.patch(paths.node("sim-0"), {"metadata": {"labels": {DEVICE_PLUGIN_CONFIG: None}}})
    until(hand, "8")


@pytest.mark.parametrize(
    ("labels", "config", "expected"),
    [
        ({}, {}, ""),
        ({}, {"name": "plugin", "default": "shared"}, f"time-slicing of {SLICES} in file shared of ConfigMap plugin"),
        ({}, {"name": "plugin"}, ""),
        ({}, {"name": "plugin", "default": "plain"}, ""),
        ({}, {"name": "missing", "default": "shared"}, ""),
        ({DEVICE_PLUGIN_CONFIG: "plain"}, {"name": "plugin", "default": "shared"}, ""),
        ({DEVICE_PLUGIN_CONFIG: "mps"}, {"name": "plugin"}, "MPS of nvidia.com/gpu in file mps of ConfigMap plugin"),
        ({DEVICE_PLUGIN_CONFIG: "broken"}, {"name": "plugin"}, ""),
        ({"nvidia.com/gpu.sharing-strategy": "none"}, {}, ""),
        (
            {"nvidia.com/gpu.sharing-strategy": "mps"},
            {},
            "mps of nvidia.com/gpu by the labels of the node",
        ),
    ],
)
def test_how_sharing_is_recognised(labels: dict[str, str], config: dict[str, str], expected: str) -> None:
    memory = Memory()
    memory.node(labels=labels, gpu=8)
    memory.policy(devicePlugin={"config": config})
    memory.configuration("default-mig-parted-config", "version: v1")
    data = {"shared": SHARED, "plain": PLAIN, "mps": MPS, "broken": "{"}
    memory.put(paths.config_map(OPERATOR_NAMESPACE, "plugin"), {"data": data})

    assert find_targets(memory.cluster, ())[0].sharing == expected
