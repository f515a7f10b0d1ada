"""The controller of Deployments on an API server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

from conformance.sim.deployments import HASH_LABEL, Deployments
from conformance.sim.kube import DEPLOYMENTS, NODES, PODS, REPLICA_SETS, Object, node_of
from tests.sim.controlled import ControlPlane, control_plane

Scenario = Callable[[ControlPlane], Awaitable[None]]
Pods = Callable[[list[Object]], bool]


def play(directory: Path, scenario: Scenario) -> None:
    """Run a scenario with the controller at work on one Deployment."""

    async def run() -> None:
        async with control_plane(directory) as plane:
            plane.run(Deployments(plane.kube, plane.clock))
            await plane.node("a")
            await plane.node("b")
            await plane.kube.create(DEPLOYMENTS, deployment())
            await scenario(plane)

    asyncio.run(run())


def deployment(image: str = "one") -> Object:
    labels = {"app": "operator"}
    template = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "c", "image": image}]}}
    spec = {"replicas": 1, "selector": {"matchLabels": labels}, "template": template}
    return {"metadata": {"name": "operator", "namespace": "default"}, "spec": spec}


def images(*wanted: str) -> Pods:
    """Return whether there is one pod of each image and none besides."""
    return lambda pods: sorted(pod["spec"]["containers"][0]["image"] for pod in pods) == sorted(wanted)


async def placed(plane: ControlPlane, node: str) -> Object:
    """Bind the pod to a node, and return it."""
    (pod,) = await plane.until(PODS, images("one"))
    await plane.kube.bind("default", pod["metadata"]["name"], node, pod["metadata"]["uid"])
    (pod,) = await plane.until(PODS, lambda pods: [node_of(one) for one in pods] == [node])
    return pod


def without(pod: Object) -> Pods:
    """Return whether there is one pod, and it is another one."""
    return lambda pods: len(pods) == 1 and pods[0]["metadata"]["uid"] != pod["metadata"]["uid"]


def test_a_deleted_pod_is_replaced(tmp_path: Path) -> None:
    async def scenario(plane: ControlPlane) -> None:
        (pod,) = await plane.until(PODS, images("one"))
        (owner,) = pod["metadata"]["ownerReferences"]
        assert (owner["kind"], owner["controller"]) == ("ReplicaSet", True)
        assert pod["metadata"]["labels"].keys() == {"app", HASH_LABEL}

        await plane.kube.delete(PODS, pod["metadata"]["name"], "default")

        await plane.until(PODS, without(pod))

    play(tmp_path, scenario)


def test_pods_of_a_changed_template_take_the_place_of_the_former(tmp_path: Path) -> None:
    async def scenario(plane: ControlPlane) -> None:
        await plane.until(PODS, images("one"))
        await plane.kube.patch(DEPLOYMENTS, "operator", {"spec": deployment("two")["spec"]}, "default")

        await plane.until(PODS, images("two"))
        await plane.until(REPLICA_SETS, lambda found: len(found) == 1)

    play(tmp_path, scenario)


def test_as_many_pods_as_asked_for(tmp_path: Path) -> None:
    async def scenario(plane: ControlPlane) -> None:
        await plane.until(PODS, images("one"))
        for count in (0, 2):
            await plane.kube.patch(DEPLOYMENTS, "operator", {"spec": {"replicas": count}}, "default")
            await plane.until(PODS, images(*["one"] * count))

    play(tmp_path, scenario)


def test_a_pod_whose_node_is_gone_is_replaced(tmp_path: Path) -> None:
    async def scenario(plane: ControlPlane) -> None:
        pod = await placed(plane, "a")

        await plane.kube.delete(NODES, "a")

        await plane.until(PODS, without(pod))

    play(tmp_path, scenario)


def test_a_pod_on_a_node_that_nobody_hears_of_is_replaced(tmp_path: Path) -> None:
    async def scenario(plane: ControlPlane) -> None:
        pod = await placed(plane, "a")

        taint = {"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}
        await plane.kube.patch(NODES, "a", {"spec": {"taints": [taint]}})

        await plane.until(PODS, without(pod))

    play(tmp_path, scenario)


def test_the_status_counts_pods_that_are_ready(tmp_path: Path) -> None:
    async def scenario(plane: ControlPlane) -> None:
        pod = await placed(plane, "a")
        await plane.until(DEPLOYMENTS, lambda found: found[0].get("status", {}).get("unavailableReplicas") == 1)
        ready = {"status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}}
        await plane.kube.patch(PODS, pod["metadata"]["name"], ready, "default", "status")

        counted = {"readyReplicas": 1, "updatedReplicas": 1, "unavailableReplicas": 0}
        await plane.until(DEPLOYMENTS, lambda found: counted.items() <= found[0]["status"].items())
        await plane.until(REPLICA_SETS, lambda found: found[0]["status"].get("readyReplicas") == 1)

    play(tmp_path, scenario)
