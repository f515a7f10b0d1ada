"""The operator's validator: checks driver, toolkit, CUDA and device plugin, one after the other.

Source: NVIDIA/gpu-operator v26.7.0, cmd/nvidia-validator/main.go and validator/manifests.
"""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Awaitable, Callable, Mapping
from functools import cache, partial
from pathlib import PurePosixPath
from typing import Final

from conformance.sim.container import Container
from conformance.sim.kube import DAEMON_SETS, NODES, PODS, Kube, Object, node_of
from conformance.sim.kube.insist import insist, insist_unless_gone
from conformance.sim.operands.programs import DRIVER_LOADED, TOOLKIT_RUNS, until
from conformance.spec.names import GPU_RESOURCE, MIG_RESOURCE_PREFIX, VALIDATOR_APP
from conformance.spec.package_data import read_yaml

CUDA_VALIDATOR_APP: Final = "nvidia-cuda-validator"
WORKLOAD_TRIES: Final = 60
"""Number of checks of the CUDA pod before the validator gives up."""
RESOURCE_TRIES: Final = 30
"""Number of checks of the node's capacity before the validator gives up."""
_READY_FILES: Final = PurePosixPath("/run/nvidia/validations")


async def validator(container: Container) -> int:
    """Validate the component named by the variable COMPONENT and write its ready file.

    Without COMPONENT it is the main container, which runs until SIGTERM and then removes all ready files, so that
    programs that start later wait for a new validation.
    """
    component = container.env.get("COMPONENT", "")
    if not component:
        container.log("all validations are successful")
        await container.stop.wait()
        _forget_validations(container.node.files)
        return 0
    code = await _STEPS[component](container)
    if code == 0:
        container.node.files[str(_READY_FILES / f"{component}-ready")] = ""
        container.log(f"{component} is validated")
    return code


def _forget_validations(files: dict[str, str]) -> None:
    for path in [path for path in files if PurePosixPath(path).match(str(_READY_FILES / "[!.]*-ready"))]:
        del files[path]


async def _validate_driver(container: Container) -> int:
    node = container.node
    loaded = "the driver"
    return await until(container, loaded, lambda: DRIVER_LOADED in node.files and node.hardware.init_error is None)


async def _validate_toolkit(container: Container) -> int:
    return await until(container, "the container toolkit", lambda: TOOLKIT_RUNS in container.node.files)


async def _validate_cuda(container: Container) -> int:
    """Run the CUDA sample in a separate pod."""
    kube, namespace, node = container.kube, container.env["OPERATOR_NAMESPACE"], container.env["NODE_NAME"]
    pods, daemon_sets = kube.informer(PODS), kube.informer(DAEMON_SETS)
    await asyncio.gather(pods.synced.wait(), daemon_sets.synced.wait())
    for former in _cuda_pods(kube, namespace, node):
        await insist_unless_gone(partial(kube.delete, PODS, former, namespace, grace_seconds=0))
    validating = daemon_sets.get(VALIDATOR_APP, namespace)
    owners = validating["metadata"].get("ownerReferences", []) if validating else []
    created = await insist(partial(kube.create, PODS, _cuda_pod(container.image, namespace, node, owners)))
    name = created["metadata"]["name"]

    def succeeded() -> bool:
        pod = pods.get(name, namespace)
        return pod is not None and bool(pod.get("status", {}).get("phase") == "Succeeded")

    return await until(container, f"pod {name}", succeeded, WORKLOAD_TRIES)


async def _validate_plugin(container: Container) -> int:
    """Wait for any GPU resource in the node's capacity, even if it is left over from a former device plugin."""
    nodes, name = container.kube.informer(NODES), container.env["NODE_NAME"]
    await nodes.synced.wait()

    def offered() -> bool:
        capacity = (nodes.get(name) or {}).get("status", {}).get("capacity", {})
        return any(
            amount != "0" and resource.startswith((GPU_RESOURCE, MIG_RESOURCE_PREFIX))
            for resource, amount in capacity.items()
        )

    return await until(container, "GPU resources", offered, RESOURCE_TRIES)


_STEPS: Final[Mapping[str, Callable[[Container], Awaitable[int]]]] = {
    "driver": _validate_driver,
    "toolkit": _validate_toolkit,
    "cuda": _validate_cuda,
    "plugin": _validate_plugin,
}


def _cuda_pods(kube: Kube, namespace: str, node: str) -> list[str]:
    return [
        pod["metadata"]["name"]
        for pod in kube.informer(PODS).select(node_of, node)
        if pod["metadata"]["namespace"] == namespace
        and (pod["metadata"].get("labels") or {}).get("app") == CUDA_VALIDATOR_APP
    ]


@cache
def _cuda_pod_template() -> Object:
    template: Object = read_yaml("cuda-validator.yaml", __package__)
    return template


def _cuda_pod(image: str, namespace: str, node: str, owners: list[Object]) -> Object:
    """Return the pod with the validator's node and image, owned by the owner of its DaemonSet."""
    pod = copy.deepcopy(_cuda_pod_template())
    pod["metadata"] |= {"namespace": namespace, "ownerReferences": owners}
    pod["spec"]["nodeName"] = node
    for part in (*pod["spec"]["initContainers"], *pod["spec"]["containers"]):
        part["image"] = image
    return pod
