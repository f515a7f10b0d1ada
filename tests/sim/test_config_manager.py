"""Which file of the device plugin config-manager chooses, and when."""

from __future__ import annotations

from conformance.sim.kube import CONFIG_MAPS, NODES, PODS, Object
from conformance.sim.node import pod_directory
from conformance.sim.operands.config_manager import CONFIG_VOLUME, config_manager
from conformance.spec.names import DEVICE_PLUGIN_CONFIG
from tests.sim.stage import Stage, make_pod, stage

FILES = {"single": "one", "mixed": "two"}
ENV = {
    "NODE_NAME": "sim-0",
    "NODE_LABEL": DEVICE_PLUGIN_CONFIG,
    "CONFIG_FILE_SRCDIR": "/available-configs",
    "CONFIG_FILE_DST": "/config/config.yaml",
    "DEFAULT_CONFIG": "single",
    "PROCESS_TO_SIGNAL": "nvidia-device-plugin",
    "SEND_SIGNAL": "true",
}


async def begin(it: Stage) -> Object:
    """Start config-manager in a pod, and return the pod."""
    await it.kube.create(CONFIG_MAPS, {"metadata": {"name": "files", "namespace": "default"}, "data": FILES})
    pod = make_pod(command=["config-manager"])
    pod["spec"]["volumes"] = [{"name": "available-configs", "configMap": {"name": "files"}}]
    (main,) = pod["spec"]["containers"]
    main["env"] = [{"name": name, "value": value} for name, value in ENV.items()]
    main["volumeMounts"] = [{"name": "available-configs", "mountPath": "/available-configs"}]
    return await it.kube.create(PODS, pod, "default")


def chosen(it: Stage, pod: Object) -> str | None:
    return it.nodes[0].files.get(f"{pod_directory(pod['metadata']['uid'], CONFIG_VOLUME)}/config.yaml")


async def choose(it: Stage, pod: Object, name: str | None) -> None:
    """Write the label of the node, and wait until the program has been told."""
    hangup = it.nodes[0].hangup(pod["metadata"]["uid"])
    hangup.clear()
    await it.kube.patch(NODES, "sim-0", {"metadata": {"labels": {DEVICE_PLUGIN_CONFIG: name}}})
    await hangup.wait()


async def test_the_label_chooses_a_file_and_without_it_the_default_comes_back() -> None:
    async with stage(commands={"config-manager": config_manager}) as it:
        pod = await begin(it)
        await it.until_phase("pod", "Running")
        await it.nodes[0].hangup(pod["metadata"]["uid"]).wait()
        assert chosen(it, pod) == "one"

        await choose(it, pod, "mixed")
        assert chosen(it, pod) == "two"
        await choose(it, pod, None)
        assert chosen(it, pod) == "one"


async def test_a_file_that_is_not_there_ends_it() -> None:
    async with stage(commands={"config-manager": config_manager}) as it:
        pod = await begin(it)
        await it.until_phase("pod", "Running")
        await it.kube.patch(NODES, "sim-0", {"metadata": {"labels": {DEVICE_PLUGIN_CONFIG: "nope"}}})
        await it.until_phase("pod", "Failed")

        assert chosen(it, pod) == "one"
