"""The simple programs among the operands: driver, toolkit, DCGM and the CUDA sample, and the table of their commands.

They mark readiness with files on the node, for which programs in other pods wait. Source: NVIDIA/gpu-operator v26.7.0,
assets.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Final

from conformance.sim.container import Container, Program
from conformance.sim.hardware import NodeHardware
from conformance.sim.operands.config_manager import config_manager
from conformance.spec.names import DCGM_EXPORTER_APP

DRIVER_LOADED: Final = "/run/nvidia/validations/.driver-ctr-ready"
"""File on the node that exists while the driver is loaded."""
TOOLKIT_RUNS: Final = "/run/nvidia/toolkit/toolkit.pid"
"""File on the node that exists while the container toolkit is installed."""
RETRY_SECONDS: Final = 5.0
"""Cluster seconds between two checks of a program that waits."""
ENDED_BY_SIGTERM: Final = 143


async def driver(container: Container) -> int:
    """Mark the driver loaded until the container stops."""
    container.log(f"Loading NVIDIA driver kernel modules, version {container.node.hardware.driver_version}")
    return await _present(container, DRIVER_LOADED)


async def toolkit(container: Container) -> int:
    """Mark the NVIDIA container toolkit installed until the container stops."""
    container.log("Installing the NVIDIA container toolkit in /usr/local/nvidia/toolkit")
    return await _present(container, TOOLKIT_RUNS)


async def resident(container: Container) -> int:
    """Run until SIGTERM: DCGM, its exporter and the MPS control daemon."""
    container.log(f"{container.name} is running")
    if container.name == "nvidia-dcgm-exporter" and container.node.faults.on("exporter-ends-with-pods"):
        return await _end_with_pods(container)
    return await container.stopped()


async def finished(container: Container) -> int:
    """Exit at once with 0: the driver manager, which finds nothing to uninstall."""
    container.log(f"{container.name} has nothing to do")
    return 0


async def wait_for_file(container: Container) -> int:
    """Wait until the file that the first argument names exists on the node."""
    path = container.command[1]
    stuck = container.node.faults.on("exporter-never-returns") and _is_successor(container)
    return await until(container, f"file {path}", lambda: path in container.node.files and not stuck)


async def vector_add(container: Container) -> int:
    """Add two vectors on the first CUDA device; 1 where there is none."""
    container.log("[Vector addition of 50000 elements]")
    if not has_cuda_device(container.node.hardware, container.visible):
        container.log("Failed to allocate device vector A (error code no CUDA-capable device is detected)!")
        return 1
    container.log("Test PASSED")
    container.log("Done")
    return 0


def has_cuda_device(hardware: NodeHardware, visible: frozenset[str] | None) -> bool:
    """Return whether CUDA finds a device among the `visible` UUIDs (None for all of the node).

    A GPU in MIG mode is not a CUDA device; its MIG devices are.
    """
    if hardware.init_error is not None:
        return False
    for gpu in hardware.gpus:
        devices = [ci.uuid for gi in gpu.instances for ci in gi.compute_instances] if gpu.mode_current else [gpu.uuid]
        if any(visible is None or uuid in visible or gpu.uuid in visible for uuid in devices):
            return True
    return False


async def until(container: Container, what: str, holds: Callable[[], bool], tries: int = 0) -> int:
    """Check a condition every `RETRY_SECONDS` and return an exit code.

    Args:
        container: The container that waits.
        what: What it waits for, for the log.
        holds: The condition.
        tries: Number of checks before giving up; 0 for no limit.

    Returns:
        0 once the condition holds, 1 after the last try, 143 on SIGTERM.
    """
    count = 0
    while not holds():
        count += 1
        if count == tries:
            container.log(f"gave up waiting for {what}")
            return 1
        container.log(f"waiting for {what}")
        try:
            await container.clock.wait(container.stop, RETRY_SECONDS)
        except TimeoutError:
            continue
        return ENDED_BY_SIGTERM
    return 0


COMMANDS: Final[Mapping[str, Program]] = {
    "nvidia-driver": driver,
    "driver-manager": finished,
    "nvidia-toolkit": toolkit,
    "wait-for-file": wait_for_file,
    "vectorAdd": vector_add,
    "nv-hostengine": resident,
    "dcgm-exporter": resident,
    "mps-control-daemon": resident,
    "config-manager": config_manager,
}
"""Programs by the command in the DaemonSets of `conformance.sim.operator`."""


async def _end_with_pods(container: Container) -> int:
    """End with an error when the last pod gives its device back."""
    given_back = asyncio.ensure_future(container.node.devices.unused())
    stopped = asyncio.ensure_future(container.stop.wait())
    try:
        await asyncio.wait({given_back, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return 0 if container.stop.is_set() else 1
    finally:
        given_back.cancel()
        stopped.cancel()


def _is_successor(container: Container) -> bool:
    """Return whether another pod of dcgm-exporter ran on the node before."""
    meta = container.pod["metadata"]
    if (meta.get("labels") or {}).get("app") != DCGM_EXPORTER_APP:
        return False
    first: str = container.node.files.setdefault("/run/exporter", meta["uid"])
    return first != str(meta["uid"])


async def _present(container: Container, path: str) -> int:
    """Keep a file on the node while the container runs."""
    container.node.files[path] = ""
    try:
        return await container.stopped()
    finally:
        container.node.files.pop(path, None)
