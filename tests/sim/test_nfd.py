"""What NFD's master makes of a node's labels."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.sim.cluster import SimulatedCluster
from conformance.sim.nfd import OWNED_ANNOTATION, label_patch, labels_of_rules, worker_feature
from conformance.sim.options import SimOptions
from tests.sim.official import kubectl

LABELS = st.dictionaries(
    st.sampled_from(["a.example/x", "b.example/y", "feature.node.kubernetes.io/z"]), st.sampled_from("12")
)


def node(labels: dict[str, str], owned: str = "") -> dict[str, Any]:
    return {"metadata": {"labels": labels, "annotations": {OWNED_ANNOTATION: owned} if owned else {}}}


def applied(found: dict[str, Any], wanted: dict[str, str]) -> dict[str, Any]:
    """The node after the master's patch."""
    patch = label_patch(found, wanted)
    if patch is None:
        return found
    labels = found["metadata"]["labels"] | patch["metadata"]["labels"]
    owned = patch["metadata"]["annotations"][OWNED_ANNOTATION]
    return node({name: value for name, value in labels.items() if value is not None}, owned)


def test_labels_of_the_feature_come_onto_the_node() -> None:
    patch = label_patch(node({"mine": "1"}), {"nvidia.com/gpu.count": "8", "feature.node.kubernetes.io/x": "true"})

    assert patch == {
        "metadata": {
            "labels": {"nvidia.com/gpu.count": "8", "feature.node.kubernetes.io/x": "true"},
            "annotations": {OWNED_ANNOTATION: "nvidia.com/gpu.count,x"},
        }
    }


def test_only_labels_that_it_set_are_taken_off() -> None:
    found = node(
        {"mine": "1", "nvidia.com/gpu.count": "8", "feature.node.kubernetes.io/x": "true"}, "nvidia.com/gpu.count,x"
    )

    patch = label_patch(found, {"nvidia.com/gpu.count": "8"})

    assert patch is not None
    assert patch["metadata"]["labels"] == {"feature.node.kubernetes.io/x": None}


def test_nothing_is_written_where_nothing_changes() -> None:
    assert (
        label_patch(node({"nvidia.com/gpu.count": "8"}, "nvidia.com/gpu.count"), {"nvidia.com/gpu.count": "8"}) is None
    )
    assert label_patch(node({"mine": "1"}), {}) is None


@given(LABELS, st.lists(LABELS, max_size=5))
def test_after_any_history_the_node_has_its_own_labels_and_the_last_wanted(
    own: dict[str, str], history: list[dict[str, str]]
) -> None:
    own = {f"own.{name}": value for name, value in own.items()}
    found = node(own)
    for wanted in history:
        found = applied(found, wanted)
        assert found["metadata"]["labels"] == own | wanted
        assert label_patch(found, wanted) is None


def test_a_worker_finds_the_gpu_on_the_pci_bus() -> None:
    feature = worker_feature("sim-0", "gpu-operator")

    assert feature["metadata"]["labels"] == {"nfd.node.kubernetes.io/node-name": "sim-0"}
    assert feature["spec"]["labels"]["feature.node.kubernetes.io/pci-10de.present"] == "true"


def rule(op: str, *values: str, key: str = "vendor", feature: str = "pci.device") -> dict[str, Any]:
    expression = {"op": op, "value": list(values)} if values else {"op": op}
    term = {"feature": feature, "matchExpressions": {key: expression}}
    return {"spec": {"rules": [{"name": "x", "labels": {"x": "1"}, "matchFeatures": [term]}]}}


@pytest.mark.parametrize(
    ("one", "matches"),
    [
        (rule("In", "10de", "1002"), True),
        (rule("In", "1002"), False),
        (rule("NotIn", "1002"), True),
        (rule("Exists"), True),
        (rule("DoesNotExist"), False),
        (rule("DoesNotExist", key="device"), True),
        (rule("In", "6", key="major", feature="kernel.version"), True),
        (rule("Exists", feature="usb.device"), False),
        (rule("Gt", "1"), False),
        ({"spec": {"rules": [{"name": "always", "labels": {"x": "1"}}]}}, True),
    ],
)
def test_a_rule_labels_the_nodes_with_its_features(one: dict[str, Any], matches: bool) -> None:
    assert labels_of_rules([one], [worker_feature("sim-0", "nfd")]) == ({"x": "1"} if matches else {})


def test_a_rule_may_own_the_configuration(tmp_path: Path) -> None:
    wanted = {"name": "mig", "labels": {"nvidia.com/mig.config": "all-1g.10gb"}}
    body = {
        "apiVersion": "nfd.k8s-sigs.io/v1alpha1",
        "kind": "NodeFeatureRule",
        "metadata": {"name": "mig"},
        "spec": {"rules": [wanted | {"matchFeatures": rule("In", "10de")["spec"]["rules"][0]["matchFeatures"]}]},
    }
    reached = r"--for=jsonpath={.metadata.labels.nvidia\.com/mig\.config}=all-1g.10gb"
    with SimulatedCluster(SimOptions(gpu_nodes=1, gpus_per_node=1), directory=tmp_path) as cluster:
        kubectl(cluster.kubeconfig, "apply", "-f", "-", stdin=json.dumps(body))
        kubectl(cluster.kubeconfig, "wait", reached, "node/sim-0", "--timeout=60s")


def test_a_node_that_is_registered_again_gets_all_its_labels_back(tmp_path: Path) -> None:
    """nfd-gc deletes what was known of the node; its worker and GPU Feature Discovery publish it again."""
    with SimulatedCluster(SimOptions(gpu_nodes=1, gpus_per_node=1), directory=tmp_path) as cluster:
        kubectl(cluster.kubeconfig, "delete", "node", "sim-0")
        gone = kubectl(cluster.kubeconfig, "get", "nodefeatures", "-A", "-o", "name")
        cluster.run(cluster.node("sim-0").request_kubelet_restart)
        for label in ("nvidia.com/gpu.deploy.mig-manager=true", "nvidia.com/mig.config.state=success"):
            key, value = label.replace(".", r"\.").split("=")
            reached = f"--for=jsonpath={{.metadata.labels.{key}}}={value}"
            kubectl(cluster.kubeconfig, "wait", reached, "node/sim-0", "--timeout=60s")

    assert "/sim-0" not in gone
