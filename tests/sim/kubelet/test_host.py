"""What pods do to the machine: reboot it, restart its kubelet, keep a GPU busy."""

from __future__ import annotations

from typing import Any

from conformance import probe
from conformance.sim.kube import CONFIG_MAPS, NODES, PODS, Object
from tests.sim.stage import GPU, Plugin, stage

ROOT: Object = {"name": "host", "hostPath": {"path": "/"}}


def on_host(*command: str, privileged: bool = True) -> dict[str, Any]:
    """Return the arguments of a pod that runs a command of the host."""
    container = {
        "volumeMounts": [{"name": "host", "mountPath": "/host"}],
        "securityContext": {"privileged": privileged},
    }
    return {"name": "host", "command": ["chroot", "/host", *command], "container": container, "volumes": [ROOT]}


async def test_a_privileged_pod_reboots_the_machine_once() -> None:
    async with stage() as it:
        before = it.node()["status"]["nodeInfo"]["bootID"]
        await it.create(name="waits")
        await it.until_phase("waits", "Running")
        await it.create(**on_host("reboot"))
        after = await it.until_node(lambda node: node["status"]["nodeInfo"]["bootID"] != before)
        ended = await it.until_pod("host", lambda pod: pod["status"]["phase"] in ("Succeeded", "Failed"))
        lost = await it.until_phase("waits", "Failed")
        await it.clock.sleep(300)

        assert it.node()["status"]["nodeInfo"]["bootID"] == after["status"]["nodeInfo"]["bootID"]
    assert ended["status"]["containerStatuses"][0]["restartCount"] == 0
    assert lost["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 255
    assert lost["status"]["containerStatuses"][0]["state"]["terminated"]["reason"] == "Unknown"


async def test_the_host_is_out_of_reach_for_a_pod_without_privileges() -> None:
    async with stage() as it:
        await it.create(**on_host("reboot", privileged=False))
        pod = await it.until_phase("host", "Failed")

    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 125


async def test_a_command_that_the_host_lacks_is_not_found() -> None:
    async with stage() as it:
        await it.create(**on_host("halt"))
        pod = await it.until_phase("host", "Failed")

    assert pod["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 127


async def test_a_kubelet_that_restarts_waits_for_device_plugins_and_keeps_containers() -> None:
    async with stage() as it:
        it.nodes[0].devices.register(GPU, Plugin())
        await it.until_node(lambda node: node["status"]["allocatable"].get(GPU) == "2")
        await it.create(limits={GPU: "1"})
        await it.until_phase("pod", "Running")
        await it.create(**on_host("systemctl", "restart", "kubelet"))
        await it.until_node(lambda node: node["status"]["allocatable"].get(GPU) == "0")
        it.nodes[0].devices.register(GPU, Plugin())
        await it.until_node(lambda node: node["status"]["allocatable"].get(GPU) == "2")
        pod = it.pod("pod")

    assert pod is not None
    assert pod["status"]["phase"] == "Running"
    assert pod["status"]["containerStatuses"][0]["restartCount"] == 0


async def test_a_held_gpu_has_a_client_until_the_pod_ends() -> None:
    files = {"metadata": {"name": "gpu-probe"}, "data": {"hold.py": probe.files()["hold.py"]}}
    all_gpus = [{"name": "NVIDIA_VISIBLE_DEVICES", "value": "all"}]
    mounts = {"volumeMounts": [{"name": "probe", "mountPath": "/probe"}], "env": all_gpus}
    volumes = [{"name": "probe", "configMap": {"name": "gpu-probe"}}]
    async with stage() as it:
        await it.kube.create(CONFIG_MAPS, files, "default")
        gpu = it.nodes[0].hardware.gpus[0]
        await it.create(
            command=["python3", "/probe/hold.py"], container=mounts, volumes=volumes, runtimeClassName="nvidia"
        )
        await it.until_phase("pod", "Running")
        await it.clock.sleep(5)
        held, log = list(gpu.clients), it.log("pod")
        await it.kube.delete(PODS, "pod", "default")
        await it.until_gone("pod")

    assert [(client.gi_id, client.ci_id) for client in held] == [(None, None)]
    assert log == [f"holding {gpu.uuid}"]
    assert gpu.clients == []


async def test_a_pod_restarts_kubelet_when_it_is_deleted_and_the_node_is_registered_again() -> None:
    """The Node object is gone, so no other pod could be started there; kubelet registers only when it starts."""
    async with stage() as it:
        before = it.node()["metadata"]["uid"]
        text = "trap 'chroot /host systemctl restart kubelet' TERM; sleep infinity & wait"
        await it.create(name="runs-on")
        await it.create(**{**on_host(), "command": ["sh", "-c", text]})
        for name in ("runs-on", "host"):
            await it.until_phase(name, "Running")
        await it.kube.delete(NODES, "sim-0")
        await it.until(lambda: it.kube.informer(NODES).get("sim-0") is None, NODES)
        await it.clock.sleep(60)
        assert it.kube.informer(NODES).get("sim-0") is None
        await it.kube.delete(PODS, "host", "default")
        await it.until(lambda: it.kube.informer(NODES).get("sim-0"), NODES)
        await it.until_gone("host")
        pod, after = it.pod("runs-on"), it.node()["metadata"]["uid"]

    assert after != before
    assert pod is not None
    assert pod["status"]["phase"] == "Running"
