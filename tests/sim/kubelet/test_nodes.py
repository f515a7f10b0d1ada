"""The Node object: registration, the ten-second grid, the three stages of a resource, reboot, lease."""

import asyncio

from conformance.sim.container import Container
from conformance.sim.kube import EVENTS, LEASES, NODES, PODS, Object
from tests.sim.stage import GPU, Plugin, Stage, refused, stage


def gpus(node: Object) -> tuple[str | None, str | None]:
    status = node["status"]
    return status["capacity"].get(GPU), status["allocatable"].get(GPU)


def ready(node: Object) -> str:
    return next(str(c["status"]) for c in node["status"]["conditions"] if c["type"] == "Ready")


def changes(it: Stage) -> list[tuple[float, Object]]:
    """Collect every version of the first node with its time."""
    seen: list[tuple[float, Object]] = []
    it.kube.informer(NODES).on_change(lambda _, __, node: seen.append((it.clock.now(), node)))
    return seen


async def test_a_node_registers_with_what_a_kubelet_says() -> None:
    async with stage(2) as it:
        node = it.node("sim-1")
        lease = await it.kube.get(LEASES, "sim-1", "kube-node-lease")

    assert node["metadata"]["labels"]["kubernetes.io/hostname"] == "sim-1"
    assert ready(node) == "True"
    assert node["status"]["addresses"] == [{"type": "InternalIP", "address": "127.0.0.1"}]
    assert node["status"]["declaredFeatures"] == ["ExtendWebSocketsToKubelet"]
    assert gpus(node) == (None, None)
    assert lease["spec"]["holderIdentity"] == "sim-1"
    assert lease["spec"]["leaseDurationSeconds"] == 40


async def test_a_resource_goes_through_its_stages() -> None:
    async with stage(scale=1000) as it:
        seen, plugin = changes(it), Plugin()
        it.nodes[0].devices.register(GPU, plugin)
        await it.until_node(lambda node: gpus(node) == ("2", "2"))
        it.nodes[0].devices.unregister(GPU, plugin)
        left = it.clock.now()
        await it.until_node(lambda node: gpus(node) == ("0", "0"))

    assert [gpus(node) for _, node in seen] == [(None, None), ("2", "2"), ("2", "0"), ("0", "0")]
    assert seen[3][0] - left >= 300


async def test_a_node_at_rest_is_not_written() -> None:
    async with stage(scale=1000) as it:
        seen = changes(it)
        await it.clock.sleep(200)

    assert len(seen) == 1


async def test_a_plugin_that_restarts_within_a_period_leaves_no_trace() -> None:
    async with stage(scale=1000) as it:
        plugin = Plugin()
        it.nodes[0].devices.register(GPU, plugin)
        await it.until_node(lambda node: gpus(node) == ("2", "2"))
        seen = changes(it)
        it.nodes[0].devices.unregister(GPU, plugin)
        it.nodes[0].devices.register(GPU, Plugin())
        await it.clock.sleep(40)

    assert [gpus(node) for _, node in seen] == [("2", "2")]


async def test_a_reboot_ends_everything_and_starts_it_again() -> None:
    runs: list[str] = []

    async def resident(container: Container) -> int:
        runs.append(container.node.hardware.boot_id)
        return await container.stopped()

    async with stage(commands={"resident": resident}) as it:
        machine, before = it.nodes[0], it.node()
        machine.files |= {"/run/mark": "", "/etc/state": ""}
        await it.create(command=["resident"], restart="Always")
        await it.until_phase("pod", "Running")
        seen = changes(it)
        machine.request_reboot()
        after = await it.until_node(lambda node: node["status"]["nodeInfo"]["bootID"] != runs[0])
        pod = await it.until_pod("pod", lambda pod: pod["status"]["containerStatuses"][0]["restartCount"] == 1)
        await it.until(lambda: it.kube.informer(EVENTS).cache, EVENTS)
        (event,) = it.kube.informer(EVENTS).cache.values()

    assert [ready(node) for _, node in seen] == ["True", "False", "True"]
    assert before["status"]["nodeInfo"]["bootID"] == runs[0]
    assert after["status"]["nodeInfo"]["bootID"] == runs[1]
    assert pod["status"]["phase"] == "Running"
    assert machine.files == {"/etc/state": ""}
    assert (event["reason"], event["involvedObject"]["name"]) == ("Rebooted", "sim-0")


async def test_a_reboot_gives_a_pod_another_address_in_place_of_its_own() -> None:
    async with stage() as it:
        await it.create(restart="Always")
        before = await it.until_phase("pod", "Running")
        it.nodes[0].request_reboot()
        after = await it.until_pod("pod", lambda pod: pod["status"]["containerStatuses"][0]["restartCount"] == 1)

    assert before["status"]["podIP"] != after["status"]["podIP"]
    assert after["status"]["podIPs"] == [{"ip": after["status"]["podIP"]}]


async def test_a_pod_that_had_ended_stays_ended_after_a_reboot() -> None:
    runs: list[str] = []

    async def once(container: Container) -> int:
        runs.append(container.node.hardware.boot_id)
        return 0

    async with stage(commands={"once": once}) as it:
        await it.create(command=["once"], restart="OnFailure")
        await it.until_phase("pod", "Succeeded")
        it.nodes[0].request_reboot()
        await it.until_node(lambda node: node["status"]["nodeInfo"]["bootID"] != runs[0])
        await it.kube.delete(PODS, "pod", "default")
        await it.until_gone("pod")

    assert len(runs) == 1


async def test_init_containers_that_run_again_after_a_reboot_are_not_reported() -> None:
    """The server accepts no status in which a container of a pod with OnFailure leaves its success."""

    async def prepare(_: Container) -> int:
        return 0

    async def resident(container: Container) -> int:
        return await container.stopped()

    async with stage(commands={"prepare": prepare, "resident": resident}) as it:
        seen: list[Object] = []
        init = {"name": "init", "image": "ubuntu:24.04", "command": ["prepare"]}
        await it.create(command=["resident"], restart="OnFailure", init=[init])
        await it.until_phase("pod", "Running")
        it.kube.informer(PODS).on_change(lambda _, __, pod: seen.append(pod))
        it.nodes[0].request_reboot()
        await it.until_pod("pod", lambda pod: pod["status"]["containerStatuses"][0]["restartCount"] == 1)

    assert all("terminated" in pod["status"]["initContainerStatuses"][0]["state"] for pod in seen)


async def test_after_a_reboot_devices_are_gone_until_the_plugin_is_back() -> None:
    async with stage() as it:
        devices = it.nodes[0].devices
        devices.register(GPU, Plugin())
        await it.until_node(lambda node: gpus(node) == ("2", "2"))
        await it.create(limits={GPU: "1"}, restart="Always")
        await it.until_phase("pod", "Running")
        told = asyncio.create_task(devices.restarted())
        it.nodes[0].request_reboot()
        await it.until_node(lambda node: gpus(node) == ("0", "0"))
        pod = await it.until_phase("pod", "Failed")
        await told

    assert pod["status"]["reason"] == "UnexpectedAdmissionError"
    assert pod["status"].keys() == {"phase", "reason", "message", "startTime", "qosClass"}
    assert "no healthy devices present; cannot allocate unhealthy devices nvidia.com/gpu" in pod["status"]["message"]


async def test_a_node_that_is_there_already_is_taken_over() -> None:
    """A second kubelet of the same name, as after a restart of the simulation, finds labels and pods of the first."""
    async with stage() as it:
        await it.kube.patch(NODES, "sim-0", {"metadata": {"labels": {"kept": "yes", "kubernetes.io/os": "other"}}})
        await it.kubelet.add(it.nodes[0])
        node = await it.until_node(lambda node: node["metadata"]["labels"]["kubernetes.io/os"] == "linux")

    assert node["metadata"]["labels"]["kept"] == "yes"


async def test_a_node_object_that_was_made_before_is_adopted_when_the_machine_is_back() -> None:
    async with stage() as it:
        it.nodes[0].labels = {"preset": "no", "topology.kubernetes.io/zone": "z"}
        it.nodes[0].request_reboot()
        await it.until_node(lambda node: node["status"]["conditions"][-1]["status"] == "False")
        await it.kube.delete(NODES, "sim-0")
        await it.kube.create(NODES, {"metadata": {"name": "sim-0", "labels": {"preset": "yes"}}})
        nodes = it.kube.informer(NODES)
        await it.until(lambda: (node := nodes.get("sim-0")) and "nodeInfo" in node.get("status", {}), NODES)
        node = it.node()

    labels = node["metadata"]["labels"]
    assert (labels["preset"], labels["topology.kubernetes.io/zone"]) == ("yes", "z")
    assert labels["kubernetes.io/hostname"] == "sim-0"


async def test_leaving_takes_nodes_and_their_pods_along() -> None:
    async with stage() as it:
        await it.create()
        await it.until_phase("pod", "Running")
        await it.kubelet.leave()
        gone = await refused(it.kube.get(NODES, "sim-0"))
        await it.until_gone("pod")

    assert gone.not_found
