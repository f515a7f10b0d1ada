"""The simulated cluster as a whole, watched as a user would: through its kubeconfig."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from conformance.flags import OptionError
from conformance.sim.cluster import SimOptions, SimulatedCluster, SimulationError
from tests.sim.official import events
from tests.sim.watching import CONFIG, LIMIT, PRODUCT, STATE, Cluster, answered, devices, is_ready, offers

ONE_NODE = SimOptions(gpu_nodes=1, gpus_per_node=2)


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """A small cluster of one node with two GPUs."""
    with SimulatedCluster(ONE_NODE) as running:
        yield Cluster(running.kubeconfig)


def test_a_started_cluster_is_complete() -> None:
    """Two nodes of eight H100, all operands Ready, default configuration applied, whole GPUs advertised."""
    with SimulatedCluster() as running:
        seen = Cluster(running.kubeconfig)
        nodes = seen.core.list_node().items
        pods = seen.core.list_namespaced_pod("gpu-operator", field_selector="status.phase=Running").items
        policy = seen.policy()

    assert [node.metadata.name for node in nodes] == ["sim-0", "sim-1"]
    for node in nodes:
        assert devices(node.status.allocatable) == devices(node.status.capacity) == {"nvidia.com/gpu": 8}
        assert node.metadata.labels[CONFIG] == "all-disabled"
        assert node.metadata.labels[STATE] == "success"
        assert node.metadata.labels[PRODUCT] == "NVIDIA-H100-80GB-HBM3"
        assert node.metadata.labels["kubernetes.io/hostname"] == node.metadata.name
    assert len(pods) == 2 * (7 + 1) + 2, "operands, NFD workers, and the operator and the NFD master"
    assert all(is_ready(pod) for pod in pods)
    assert policy["status"]["state"] == "ready"


def test_single_from_label_to_advertised_slices(cluster: Cluster) -> None:
    cluster.configure("sim-0", "all-1g.10gb")

    seen = cluster.node_until("sim-0", lambda node: answered("success")(node) and offers(gpu=14)(node))

    states = [node.metadata.labels.get(STATE) for node in seen]
    assert states.index("pending") < states.index("success")
    assert any(node.metadata.labels["nvidia.com/gpu.deploy.device-plugin"] == "paused-for-mig-change" for node in seen)
    labelled = cluster.node_until(
        "sim-0", lambda node: node.metadata.labels[PRODUCT] == "NVIDIA-H100-80GB-HBM3-MIG-1g.10gb"
    )
    assert labelled[-1].metadata.labels["nvidia.com/gpu.count"] == "14"


def test_mixed_names_the_profiles_and_the_old_name_fades_away(cluster: Cluster) -> None:
    cluster.advertise("mixed")
    cluster.configure("sim-0", "all-balanced")

    cluster.node_until("sim-0", offers(mig_1g__10gb=4, mig_2g__20gb=2, mig_3g__40gb=2))
    faded = cluster.node_until("sim-0", lambda node: node.status.capacity["nvidia.com/gpu"] == "0")

    assert faded[0].status.capacity["nvidia.com/gpu"] == "2", "capacity outlives the plugin by five minutes"
    assert "nvidia.com/gpu" in faded[-1].status.capacity, "the name stays"


def test_single_with_unlike_slices_crash_loops_and_recovers(cluster: Cluster) -> None:
    cluster.configure("sim-0", "all-balanced")

    def crashes(pod: Any) -> bool:
        waiting = [status.state.waiting for status in pod.status.container_statuses or ()]
        return any(item is not None and item.reason == "CrashLoopBackOff" for item in waiting)

    crashing = cluster.pod_until("nvidia-device-plugin-daemonset", crashes)[-1]
    log = cluster.core.read_namespaced_pod_log(crashing.metadata.name, "gpu-operator", previous=True)
    cluster.node_until("sim-0", lambda node: node.metadata.labels[PRODUCT].endswith("-MIG-INVALID"))
    cluster.node_until("sim-0", offers())
    assert "more than one MIG device type present on node" in log

    cluster.configure("sim-0", "all-3g.40gb")
    cluster.node_until("sim-0", offers(gpu=4))


def test_a_strategy_change_rolls_node_by_node() -> None:
    """The device plugin of the second node is not touched before that of the first one is back."""
    with SimulatedCluster(SimOptions(gpus_per_node=1)) as running:
        cluster = Cluster(running.kubeconfig)
        before = cluster.apps.read_namespaced_daemon_set("nvidia-device-plugin-daemonset", "gpu-operator")
        cluster.advertise("mixed")
        seen = []
        for event in events(
            cluster.apps.list_namespaced_daemon_set,
            "gpu-operator",
            field_selector="metadata.name=nvidia-device-plugin-daemonset",
            resource_version=before.metadata.resource_version,
            timeout_seconds=LIMIT,
        ):
            status = event["object"].status
            seen.append(status.number_unavailable or 0)
            rolled = status.observed_generation == event["object"].metadata.generation > before.metadata.generation
            if rolled and status.updated_number_scheduled == status.number_available == 2:
                break

    assert max(seen) == 1


def test_an_unknown_configuration_is_refused_and_changes_nothing(cluster: Cluster) -> None:
    cluster.configure("sim-0", "all-1g.999gb")

    seen = cluster.node_until("sim-0", answered("failed"))

    assert "pending" not in [node.metadata.labels.get(STATE) for node in seen]
    assert devices(seen[-1].status.allocatable) == {"nvidia.com/gpu": 2}


def test_an_operator_that_forgets_the_plugin_is_a_fault() -> None:
    with SimulatedCluster(SimOptions(gpu_nodes=1, gpus_per_node=1, faults=("operator-forgets-plugin",))) as running:
        cluster = Cluster(running.kubeconfig)
        cluster.advertise("mixed")
        cluster.node_until("sim-0", lambda node: node.metadata.labels.get("nvidia.com/mig.strategy") == "mixed")
        plugin = cluster.apps.read_namespaced_daemon_set("nvidia-device-plugin-daemonset", "gpu-operator")

    env = {item.name: item.value for item in plugin.spec.template.spec.containers[0].env}
    assert env["MIG_STRATEGY"] == "single"


def test_unlike_gpus_on_one_node() -> None:
    options = SimOptions(gpu_model="a100-sxm4-40gb,h100-80gb-hbm3", gpus_per_node=3, gpu_nodes=1)
    with SimulatedCluster(options) as running:
        models = running.run(lambda: [gpu.model.family for gpu in running.node("sim-0").hardware.gpus])

    assert models == ["ampere", "hopper", "ampere"]


def test_a_component_that_fails_is_told_at_the_end() -> None:
    running = SimulatedCluster(ONE_NODE)
    running.start()

    def fail() -> None:
        raise ZeroDivisionError("made up")

    told = threading.Event()
    running.on_failure(told.set)
    running.run(lambda: running.clock.call_later(0, fail))
    assert told.wait(LIMIT)
    with pytest.raises(SimulationError, match="made up"):
        running.stop()


def test_nothing_is_left_behind() -> None:
    with SimulatedCluster(ONE_NODE) as running:
        kubeconfig = running.kubeconfig
        assert kubeconfig.exists()

    assert not kubeconfig.parent.exists()
    running.stop()


def test_what_was_not_started_needs_no_end_and_has_no_kubeconfig() -> None:
    cluster = SimulatedCluster(ONE_NODE)
    cluster.stop()

    with pytest.raises(RuntimeError, match="not been started"):
        _ = cluster.kubeconfig
    with pytest.raises(RuntimeError, match="not been started"):
        cluster.run(lambda: None)


@pytest.mark.parametrize(("nodes", "embedded", "attached"), [(0, 500, 100), (2, 500, 100), (20, 50, 10)])
def test_the_time_scale_suits_the_cluster(nodes: int, embedded: float, attached: float) -> None:
    chosen = SimOptions(gpu_nodes=nodes)
    given = SimOptions(gpu_nodes=nodes, scale=3)

    assert (chosen.time_scale, chosen.attached_time_scale) == (embedded, attached)
    assert (given.time_scale, given.attached_time_scale) == (3, 3)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"gpu_model": "h100-of-mine"}, "h100-80gb-hbm3"),
        ({"gpu_model": "h100-80gb-hbm3,thor-igpu"}, "thor-igpu cannot be simulated: no known release works on it"),
        ({"gpus_per_node": 0}, "1 to 16"),
        ({"gpu_nodes": -1}, "-1 nodes"),
        ({"release": "v1"}, "v26.7.0"),
        ({"faults": ("plugin-sings",)}, "plugin-count-off-by-one"),
        ({"strategy": "double"}, "none, single, mixed"),
        ({"scale": 0}, "more than zero"),
        ({"config_default": "all-enabled"}, "all-disabled or empty"),
    ],
)
def test_wrong_options_name_what_is_possible(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SimOptions(**wrong)


def test_option_errors_are_value_errors() -> None:
    assert issubclass(OptionError, ValueError)
