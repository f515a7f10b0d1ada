"""The operator on an API server, without anybody who would run what it deploys."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from conformance.sim.faults import Faults
from conformance.sim.kube import CLUSTER_POLICIES, CONFIG_MAPS, DAEMON_SETS, NODE_FEATURES, NODES, Object
from conformance.sim.nfd import NfdMaster, worker_feature
from conformance.sim.operator import Installation, Operator, install
from conformance.spec.releases import find_release
from tests.sim.controlled import ControlPlane, control_plane

NAMESPACE = "gpu-operator"
CONFIG = "nvidia.com/mig.config"
CAPABLE = {"nvidia.com/mig.capable": "true"}
Scenario = Callable[[ControlPlane], Awaitable[None]]


def play(directory: Path, scenario: Scenario, release: str = "v26.7.0") -> None:
    """Run a scenario with operator and NFD installed, on a cluster of one node with a GPU."""

    async def run() -> None:
        async with control_plane(directory) as plane:
            await install(plane.kube, Installation(release=find_release(release)))
            operator = Operator(plane.kube, plane.clock, NAMESPACE, find_release(release), Faults())
            plane.run(operator, NfdMaster(plane.kube, plane.clock))
            await plane.node("a")
            await plane.kube.create(NODE_FEATURES, worker_feature("a", NAMESPACE))
            await scenario(plane)

    asyncio.run(run())


def labelled(**wanted: str | None) -> Callable[[list[Object]], bool]:
    """Return whether the node carries these labels of nvidia.com, `__` for a dot and `_` for a hyphen."""
    names = {f"nvidia.com/{key.replace('__', '.').replace('_', '-')}": value for key, value in wanted.items()}
    return lambda nodes: bool(nodes) and all(labels(nodes[0]).get(name) == value for name, value in names.items())


def labels(node: Object) -> dict[str, str]:
    return node["metadata"].get("labels") or {}


def test_a_gpu_that_nfd_finds_brings_labels_and_daemon_sets(tmp_path: Path) -> None:
    async def scenario(plane: ControlPlane) -> None:
        await plane.until(NODES, labelled(gpu__present="true", gpu__deploy__driver="true", mig__config=None))
        made = await plane.until(DAEMON_SETS, lambda found: len(found) == 9)
        assert all(item["metadata"]["namespace"] == NAMESPACE for item in made)

        await plane.label("a", {**CAPABLE})
        await plane.until(NODES, labelled(gpu__deploy__mig_manager="true", mig__config="all-disabled"))

        await plane.kube.delete(NODE_FEATURES, "a", NAMESPACE)
        await plane.until(NODES, labelled(gpu__present="false", gpu__deploy__driver=None))

    play(tmp_path, scenario)


def test_a_strategy_change_rewrites_the_daemon_sets_and_the_status_tells_it(tmp_path: Path) -> None:
    async def scenario(plane: ControlPlane) -> None:
        await plane.until(DAEMON_SETS, lambda found: len(found) == 9)
        await plane.kube.patch(CLUSTER_POLICIES, "cluster-policy", {"spec": {"mig": {"strategy": "mixed"}}})

        changed = await plane.until(DAEMON_SETS, lambda found: sum(generation(item) == 2 for item in found) == 4)
        assert {item["metadata"]["name"] for item in changed if generation(item) == 2} == {
            "gpu-feature-discovery",
            "nvidia-device-plugin-daemonset",
            "nvidia-device-plugin-mps-control-daemon",
            "nvidia-operator-validator",
        }
        (policy,) = await plane.until(CLUSTER_POLICIES, lambda found: "status" in found[0])
        assert policy["status"]["namespace"] == NAMESPACE

    play(tmp_path, scenario)


def test_operands_come_and_go_with_their_switch(tmp_path: Path) -> None:
    async def scenario(plane: ControlPlane) -> None:
        await plane.until(DAEMON_SETS, lambda found: len(found) == 9)
        switches = {"dcgm": {"enabled": True}, "migManager": {"enabled": False}}
        await plane.kube.patch(CLUSTER_POLICIES, "cluster-policy", {"spec": switches})

        found = await plane.until(DAEMON_SETS, lambda found: "nvidia-dcgm" in names(found) and len(found) == 9)
        assert "nvidia-mig-manager" not in names(found)

    play(tmp_path, scenario)


def test_config_maps_of_the_operator_are_put_back(tmp_path: Path) -> None:
    async def scenario(plane: ControlPlane) -> None:
        await plane.until(DAEMON_SETS, lambda found: len(found) == 9)
        edited = {"data": {"config.yaml": "version: v1"}}
        await plane.kube.patch(CONFIG_MAPS, "default-mig-parted-config", edited, NAMESPACE)
        await plane.label("a", {"nvidia.com/gpu.deploy.operands": "false"})

        await plane.until(CONFIG_MAPS, lambda found: any("all-balanced" in str(item.get("data")) for item in found))

    play(tmp_path, scenario)


@pytest.mark.parametrize(("release", "expected"), [("v26.3.3", "all-disabled"), ("v26.7.0", None)])
def test_when_a_removed_label_comes_back(release: str, expected: str | None, tmp_path: Path) -> None:
    """Before v26.7.0 every reconcile stamps the default; from then on only what wakes the node-label reconciler."""

    async def scenario(plane: ControlPlane) -> None:
        await plane.label("a", {**CAPABLE})
        await plane.until(NODES, labelled(mig__config="all-disabled"))
        await plane.label("a", {CONFIG: None})
        await plane.settled()

        await plane.until(NODES, labelled(mig__config=expected))

    play(tmp_path, scenario, release)


def generation(item: Object) -> int:
    found: int = item["metadata"]["generation"]
    return found


def names(found: list[Object]) -> set[str]:
    return {item["metadata"]["name"] for item in found}
