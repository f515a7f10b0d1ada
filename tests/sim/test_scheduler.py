"""The scheduler at work: binding, waiting with a reason, trying again when something changes, faults."""

from collections.abc import Mapping

import pytest

from conformance.sim.kube import EVENTS, NODES, PODS, Object
from tests.sim.stage import GPU, Plugin, Stage, stage


async def offer(it: Stage, count: int, node: int = 0) -> None:
    """Let a node advertise so many GPUs."""
    it.nodes[node].devices.register(GPU, Plugin(ids=tuple(f"GPU-{number}" for number in range(count))))
    await it.until_node(lambda found: found["status"]["allocatable"].get(GPU) == str(count), name=it.nodes[node].name)


async def ask(it: Stage, name: str, count: int = 1, **more: object) -> None:
    await it.create(name=name, node=None, limits={GPU: str(count)}, **more)


def scheduled(pod: Object) -> Mapping[str, str]:
    conditions = pod["status"].get("conditions") or []
    found: Mapping[str, str] = next((c for c in conditions if c["type"] == "PodScheduled"), {"status": ""})
    return found


async def until_refused(it: Stage, name: str) -> str:
    pod = await it.until_pod(name, lambda pod: scheduled(pod)["status"] == "False")
    assert scheduled(pod)["reason"] == "Unschedulable"
    return scheduled(pod)["message"]


async def test_pods_spread_over_the_nodes() -> None:
    async with stage(2, scheduler=True) as it:
        for name in ("first", "second"):
            await it.create(name=name, node=None)
        placed = {(await it.until_phase(name, "Running"))["spec"]["nodeName"] for name in ("first", "second")}

    assert placed == {"sim-0", "sim-1"}


async def test_a_pod_waits_with_a_reason_and_runs_once_the_resource_is_there() -> None:
    async with stage(2, scheduler=True) as it:
        await ask(it, "pod")
        message = await until_refused(it, "pod")
        await it.until(lambda: it.kube.informer(EVENTS).cache, EVENTS)
        (event,) = it.kube.informer(EVENTS).cache.values()
        await offer(it, 1, node=1)
        pod = await it.until_phase("pod", "Running")

    assert message.startswith("0/2 nodes are available: 2 Insufficient nvidia.com/gpu. ")
    assert (event["reason"], event["message"]) == ("FailedScheduling", message)
    assert event["source"]["component"] == "default-scheduler"
    assert pod["spec"]["nodeName"] == "sim-1"


async def test_a_pod_waits_until_another_one_leaves_its_device() -> None:
    async with stage(scheduler=True) as it:
        await offer(it, 1)
        await ask(it, "first", command=["sleep", "20"])
        await it.until_phase("first", "Running")
        await ask(it, "second")
        message = await until_refused(it, "second")
        await it.until_phase("second", "Running")
        first = it.pod("first")

    assert "1 No preemption victims found for incoming pod." in message
    assert first is not None
    assert first["status"]["phase"] == "Succeeded"


async def test_exactly_as_many_pods_run_as_there_are_devices() -> None:
    async with stage(scheduler=True) as it:
        await offer(it, 3)
        for number in range(5):
            await ask(it, f"pod-{number}")
        await it.until(lambda: sum(bool(pod["spec"].get("nodeName")) for pod in pods(it)) == 3)
        await it.until(lambda: sum(scheduled(pod)["status"] == "False" for pod in pods(it)) == 2)
        phases = sorted(pod["status"]["phase"] for pod in pods(it) if not pod["spec"].get("nodeName"))

    assert phases == ["Pending", "Pending"]


def pods(it: Stage) -> list[Object]:
    return list(it.kube.informer(PODS).cache.values())


async def test_a_cordoned_node_takes_no_pod_until_it_is_open_again() -> None:
    async with stage(scheduler=True) as it:
        await it.kube.patch(NODES, "sim-0", {"spec": {"unschedulable": True}})
        await it.until_node(lambda node: node["spec"].get("unschedulable"))
        await it.create(node=None)
        message = await until_refused(it, "pod")
        await it.kube.patch(NODES, "sim-0", {"spec": {"unschedulable": None}})
        await it.until_phase("pod", "Running")

    assert message.startswith("0/1 nodes are available: 1 node(s) were unschedulable. ")


async def test_urgent_pods_come_first() -> None:
    async with stage(scheduler=True) as it:
        await ask(it, "patient")
        await ask(it, "urgent", priorityClassName="system-node-critical")
        await until_refused(it, "urgent")
        await offer(it, 1)
        await it.until_phase("urgent", "Running")
        patient = it.pod("patient")

    assert patient is not None
    assert "nodeName" not in patient["spec"]


async def test_pods_of_other_schedulers_and_gated_ones_are_left_alone() -> None:
    async with stage(scheduler=True) as it:
        await it.create(name="foreign", node=None, schedulerName="other")
        await it.create(name="gated", node=None, schedulingGates=[{"name": "example.com/wait"}])
        await it.create(name="ours", node=None)
        await it.until_phase("ours", "Running")
        left = [it.pod(name) for name in ("foreign", "gated")]

    assert all(pod is not None and "nodeName" not in pod["spec"] for pod in left)


async def test_a_pod_that_is_deleted_while_it_waits_is_forgotten() -> None:
    async with stage(scheduler=True) as it:
        await ask(it, "pod")
        await until_refused(it, "pod")
        await it.kube.delete(PODS, "pod", "default")
        await it.until_gone("pod")
        await offer(it, 1)
        await ask(it, "next")
        await it.until_phase("next", "Running")


async def test_fault_ignores_resources() -> None:
    async with stage(scheduler=True, faults=["scheduler-ignores-resources"]) as it:
        await offer(it, 1)
        await ask(it, "pod", 2)
        pod = await it.until_phase("pod", "Failed")

    assert pod["status"]["reason"] == "UnexpectedAdmissionError"


async def test_fault_gives_no_reason() -> None:
    async with stage(scheduler=True, faults=["scheduler-gives-no-reason"]) as it:
        await ask(it, "pod")
        message = await until_refused(it, "pod")

    assert GPU not in message


@pytest.mark.parametrize("fault", ["kubelet-hands-out-twice"])
async def test_fault_of_the_kubelet_is_seen_in_two_pods(fault: str) -> None:
    async with stage(scheduler=True, faults=[fault]) as it:
        await offer(it, 2)
        for name in ("first", "second"):
            await ask(it, name, command=["env"])
            await it.until_phase(name, "Succeeded")

        assert it.log("first") == it.log("second") == ["NVIDIA_VISIBLE_DEVICES=GPU-0"]
