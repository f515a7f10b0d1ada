"""What the person who installs the operator chooses, and what a reboot does with it."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from conformance.sim.cluster import SimOptions, SimulatedCluster
from tests.sim.watching import CONFIG, STATE, Cluster, answered, devices, offers

ENTRY: Final = {"name": "nvidia.com/gpu", "replicas": 3}
SHARING_LABELS: Final = ("gpu.product", "gpu.count", "gpu.replicas", "gpu.sharing-strategy", "mps.capable")


@pytest.mark.parametrize("release", ["v24.9.2", "v26.3.3", "main"])
def test_other_releases_get_ready_too(release: str) -> None:
    with SimulatedCluster(SimOptions(gpu_nodes=1, gpus_per_node=1, release=release)) as running:
        cluster = Cluster(running.kubeconfig)
        cluster.configure("sim-0", "all-2g.20gb")
        cluster.node_until("sim-0", offers(gpu=3))


def test_before_the_operator_is_installed_the_nodes_have_gpus_that_nobody_advertises() -> None:
    with SimulatedCluster(SimOptions(gpu_nodes=1, gpus_per_node=2, operator=False)) as running:
        cluster = Cluster(running.kubeconfig)
        (node,) = cluster.core.list_node().items
        names = {namespace.metadata.name for namespace in cluster.core.list_namespace().items}
        pods = cluster.core.list_pod_for_all_namespaces().items

    assert "gpu-operator" not in names
    assert pods == []
    assert not [name for name in node.status.allocatable if name.startswith("nvidia.com/")]
    assert not [label for label in node.metadata.labels if "nvidia.com" in label]


def test_a_custom_configuration_replaces_the_generated_one() -> None:
    text = (
        "version: v1\nmig-configs:\n  mine:\n  - devices: all\n    mig-enabled: true\n    mig-devices: {7g.80gb: 1}\n"
    )
    with SimulatedCluster(SimOptions(gpu_nodes=1, custom_config=text, strategy="mixed", config_default="")) as running:
        cluster = Cluster(running.kubeconfig)
        cluster.configure("sim-0", "mine")
        cluster.node_until("sim-0", offers(mig_7g__80gb=8))
        cluster.configure("sim-0", "all-1g.10gb")
        cluster.node_until("sim-0", answered("failed"))


def test_with_reboot_a_node_reboots_once_for_a_mode_that_needs_it() -> None:
    options = SimOptions(gpu_model="a100-sxm4-40gb", gpu_nodes=1, gpus_per_node=1, with_reboot=True)
    with SimulatedCluster(options) as running:
        hardware = running.node("sim-0").hardware
        running.run(lambda: setattr(hardware, "mode_needs_reboot", True))
        cluster = Cluster(running.kubeconfig)
        asked = cluster.configure("sim-0", "all-1g.5gb")
        seen = cluster.node_until("sim-0", lambda node: answered("success")(node) and offers(gpu=7)(node))

    # mig-manager may begin before the watch does.
    assert changes([node.metadata.labels.get(STATE) for node in (asked, *seen)]) == [
        None,
        "pending",
        "rebooting",
        "pending",
        "success",
    ]
    assert len(changes([node.status.node_info.boot_id for node in seen])) == 2


def test_after_a_reboot_mig_manager_brings_the_layout_back() -> None:
    """Hopper forgets mode and instances: for a while the node offers whole GPUs, although the state says success."""
    with SimulatedCluster(SimOptions(gpu_nodes=1, gpus_per_node=2)) as running:
        cluster = Cluster(running.kubeconfig)
        cluster.configure("sim-0", "all-3g.40gb")
        before = cluster.node_until("sim-0", offers(gpu=4))[-1].status.node_info.boot_id
        running.run(running.node("sim-0").request_reboot)
        seen = cluster.node_until("sim-0", lambda node: node.status.node_info.boot_id != before and offers(gpu=4)(node))

    offered = changes([devices(node.status.allocatable).get("nvidia.com/gpu", 0) for node in seen])
    assert offered[0] == offered[-1] == 4
    assert 0 in offered
    assert set(offered) <= {4, 2, 0}
    assert changes([is_up(node) for node in seen])[-2:] == [False, True]


def test_without_mig_manager_nobody_answers_a_label_until_it_is_switched_on() -> None:
    options = SimOptions(gpu_nodes=1, gpus_per_node=1, mig_manager=False, node_labels={CONFIG: "all-3g.40gb"})
    with SimulatedCluster(options) as running:
        cluster = Cluster(running.kubeconfig)
        before = cluster.core.read_node("sim-0")
        managers = [item.metadata.name for item in cluster.apps.list_namespaced_daemon_set("gpu-operator").items]
        cluster.change_policy({"migManager": {"enabled": True}})
        cluster.node_until("sim-0", offers(gpu=2))

    assert STATE not in before.metadata.labels
    assert devices(before.status.allocatable) == {"nvidia.com/gpu": 1}
    assert "nvidia-mig-manager" not in managers


@pytest.mark.parametrize(
    ("sharing", "offered", "labels"),
    [
        ({"timeSlicing": {"resources": [ENTRY]}}, {"nvidia.com/gpu": 6}, ("-SHARED", "3", "time-slicing", "false")),
        (
            {"timeSlicing": {"renameByDefault": True, "resources": [ENTRY]}},
            {"nvidia.com/gpu.shared": 6},
            ("", "3", "time-slicing", "false"),
        ),
        ({"mps": {"resources": [ENTRY]}}, {"nvidia.com/gpu": 6}, ("-SHARED", "3", "mps", "true")),
    ],
    ids=["time-slicing", "renamed", "mps"],
)
def test_a_file_for_the_device_plugin_shares_gpus(
    sharing: dict[str, Any], offered: dict[str, int], labels: tuple[str, ...]
) -> None:
    text = json.dumps({"version": "v1", "sharing": sharing})
    with SimulatedCluster(SimOptions(gpu_nodes=1, gpus_per_node=2, plugin_config=text)) as running:
        node = Cluster(running.kubeconfig).core.read_node("sim-0")

    suffix, replicas, strategy, mps = labels
    assert devices(node.status.allocatable) == offered
    assert {key: node.metadata.labels[f"nvidia.com/{key}"] for key in SHARING_LABELS} == {
        "gpu.product": f"NVIDIA-H100-80GB-HBM3{suffix}",
        "gpu.count": "2",
        "gpu.replicas": replicas,
        "gpu.sharing-strategy": strategy,
        "mps.capable": mps,
    }


def changes(values: list[Any]) -> list[Any]:
    """Return the values without repetitions of the one before."""
    return [value for index, value in enumerate(values) if index == 0 or value != values[index - 1]]


def is_up(node: Any) -> bool:
    return any(item.type == "Ready" and item.status == "True" for item in node.status.conditions)
