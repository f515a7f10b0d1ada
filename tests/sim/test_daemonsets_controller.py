"""The DaemonSet controller on an API server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from conformance.sim.daemonsets import DaemonSets
from conformance.sim.daemonsets.placement import node_of
from conformance.sim.kube import CONTROLLER_REVISIONS, DAEMON_SETS, NODES, PODS, Object, PatchKind
from tests.sim.controlled import ControlPlane, control_plane

Scenario = Callable[[ControlPlane], Awaitable[None]]


def play(directory: Path, scenario: Scenario) -> None:
    """Run a scenario with the controller at work."""

    async def run() -> None:
        async with control_plane(directory) as plane:
            plane.run(DaemonSets(plane.kube, plane.clock))
            await scenario(plane)

    asyncio.run(run())


def daemon_set(image: str = "one") -> Object:
    labels = {"app": "plugin"}
    container = {"name": "c", "image": image}
    return {
        "metadata": {"name": "plugin", "namespace": "default"},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"nodeSelector": {"gpu/deploy": "true"}, "containers": [container]},
            },
        },
    }


def on(*nodes: str) -> Callable[[list[Object]], bool]:
    """Return whether there is exactly one pod for each of these nodes."""
    return lambda pods: sorted(node_of(pod) for pod in pods) == sorted(nodes)


def status(**wanted: int) -> Callable[[list[Object]], bool]:
    return lambda found: bool(found) and wanted.items() <= found[0].get("status", {}).items()


def test_pods_follow_the_labels_of_nodes(tmp_path: Path) -> None:
    async def scenario(plane: ControlPlane) -> None:
        await plane.node("a", gpu_deploy="true")
        await plane.node("b", gpu_deploy="paused")
        await plane.kube.create(DAEMON_SETS, daemon_set())

        await plane.until(PODS, on("a"))
        await plane.until(DAEMON_SETS, status(desiredNumberScheduled=1, numberUnavailable=1, observedGeneration=1))
        await plane.label("b", {"gpu/deploy": "true"})
        await plane.until(PODS, on("a", "b"))
        await plane.label("a", {"gpu/deploy": "paused"})
        await plane.until(PODS, on("b"))
        await plane.node("c", gpu_deploy="true")
        await plane.until(PODS, on("b", "c"))
        await plane.kube.delete(NODES, "c")
        await plane.until(PODS, on("b"))
        await plane.until(DAEMON_SETS, status(desiredNumberScheduled=1, currentNumberScheduled=1))

    play(tmp_path, scenario)


def test_a_deleted_pod_comes_back_and_extra_ones_go(tmp_path: Path) -> None:
    async def scenario(plane: ControlPlane) -> None:
        await plane.node("a", gpu_deploy="true")
        await plane.kube.create(DAEMON_SETS, daemon_set())
        (first,) = await plane.until(PODS, on("a"))

        await plane.kube.delete(PODS, first["metadata"]["name"], "default")
        (second,) = await plane.until(PODS, lambda pods: on("a")(pods) and uid(pods[0]) != uid(first))
        copied = {key: second["metadata"][key] for key in ("labels", "ownerReferences", "namespace")}
        await plane.kube.create(PODS, {"metadata": copied | {"name": "copy"}, "spec": second["spec"]})
        (third,) = await plane.until(PODS, on("a"))
        assert uid(third) == uid(second)

    play(tmp_path, scenario)


def test_a_failed_pod_is_replaced_more_and_more_slowly(tmp_path: Path) -> None:
    async def scenario(plane: ControlPlane) -> None:
        await plane.node("a", gpu_deploy="true")
        await plane.kube.create(DAEMON_SETS, daemon_set())
        moments, seen = [], set()
        for _ in range(5):
            (pod,) = await plane.until(PODS, lambda pods: on("a")(pods) and uid(pods[0]) not in seen)
            moments.append(plane.clock.now())
            seen.add(uid(pod))
            failed = {"status": {"phase": "Failed", "reason": "UnexpectedAdmissionError"}}
            await plane.kube.patch(PODS, pod["metadata"]["name"], failed, "default", subresource="status")

        assert moments[-1] - moments[0] >= 1 + 2 + 4

    play(tmp_path, scenario)


def test_templates_have_revisions(tmp_path: Path) -> None:
    """A new template gets the next number; one that returns gets its old revision back, as the newest."""

    async def scenario(plane: ControlPlane) -> None:
        await plane.node("a", gpu_deploy="true")
        await plane.kube.create(DAEMON_SETS, daemon_set())
        (first,) = await plane.until(PODS, on("a"))

        async def use(image: str) -> None:
            patch = {"spec": {"template": {"spec": {"containers": [{"name": "c", "image": image}]}}}}
            await plane.kube.patch(DAEMON_SETS, "plugin", patch, "default", kind=PatchKind.STRATEGIC)

        await use("two")
        (second,) = await plane.until(PODS, lambda pods: on("a")(pods) and revision(pods[0]) != revision(first))
        await use("one")
        await plane.until(PODS, lambda pods: on("a")(pods) and revision(pods[0]) == revision(first))
        revisions = await plane.until(CONTROLLER_REVISIONS, lambda found: len(found) == 2)

        assert {item["metadata"]["name"]: item["revision"] for item in revisions} == {
            f"plugin-{revision(first)}": 3,
            f"plugin-{revision(second)}": 2,
        }

    play(tmp_path, scenario)


def test_the_pods_of_a_deleted_daemon_set_go_with_it(tmp_path: Path) -> None:
    async def scenario(plane: ControlPlane) -> None:
        await plane.node("a", gpu_deploy="true")
        await plane.kube.create(DAEMON_SETS, daemon_set())
        await plane.until(PODS, on("a"))

        await plane.kube.delete(DAEMON_SETS, "plugin", "default")
        await plane.until(PODS, on())

    play(tmp_path, scenario)


def uid(pod: Object) -> Any:
    return pod["metadata"]["uid"]


def revision(pod: Object) -> Any:
    return pod["metadata"]["labels"]["controller-revision-hash"]
