"""The small operands and the validator, each in a container of its own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from conformance.sim.clock import Clock
from conformance.sim.container import Container, Program
from conformance.sim.hardware import NodeHardware
from conformance.sim.kube import NODES, PODS, Kube
from conformance.sim.node import SimNode
from conformance.sim.operands.programs import COMMANDS, DRIVER_LOADED, TOOLKIT_RUNS, has_cuda_device
from conformance.sim.operands.validator import validator
from tests.sim.controlled import ControlPlane, control_plane

READY_FILES = "/run/nvidia/validations"


@dataclass
class Run:
    """A node with one GPU, and programs that run on it."""

    clock: Clock = field(default_factory=lambda: Clock(500))
    kube: Any = None
    log: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.hardware = NodeHardware(["h100-80gb-hbm3"], node="sim-0")
        self.node = SimNode("sim-0", self.hardware, self.clock)

    def container(self, *command: str, visible: frozenset[str] | None = None, **env: str) -> Container:
        pod = {"metadata": {"name": "pod", "namespace": "gpu-operator"}}
        return Container(
            pod, "main", "image:v1", command, env, self.node, self.kube, self.clock, visible,
            lambda _: None, self.log.append,
        )  # fmt: skip

    def begin(self, program: Program, container: Container) -> asyncio.Task[int]:
        """Start a program in a container, and let it have its first steps."""

        async def run() -> int:
            return await program(container)

        return asyncio.create_task(run())


async def test_driver_and_toolkit_are_there_while_their_containers_run() -> None:
    run = Run()
    for command, path in (("nvidia-driver", DRIVER_LOADED), ("nvidia-toolkit", TOOLKIT_RUNS)):
        container = run.container(command)
        running = run.begin(COMMANDS[command], container)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert path in run.node.files
        container.stop.set()
        assert await running == 0
        assert path not in run.node.files


async def test_waiting_for_a_file_of_another_container() -> None:
    run = Run()
    waiting = run.begin(COMMANDS["wait-for-file"], run.container("wait-for-file", "/run/x"))
    await run.clock.sleep(12)
    assert not waiting.done()
    run.node.files["/run/x"] = ""
    await run.clock.sleep(6)

    assert await waiting == 0
    assert run.log == ["waiting for file /run/x"] * 3


async def test_a_program_that_waits_ends_when_asked() -> None:
    run = Run()
    container = run.container("wait-for-file", "/run/x")
    waiting = run.begin(COMMANDS["wait-for-file"], container)
    await run.clock.sleep(1)
    container.stop.set()

    assert await waiting == 143


def test_cuda_devices_of_a_gpu_and_of_its_slices() -> None:
    hardware = NodeHardware(["h100-80gb-hbm3"])
    whole = frozenset({hardware.gpus[0].uuid})
    assert has_cuda_device(hardware, None)
    assert has_cuda_device(hardware, whole)
    assert not has_cuda_device(hardware, frozenset())

    gpu = hardware.gpus[0]
    hardware.set_mode(gpu, True)
    assert not has_cuda_device(hardware, None), "in MIG mode without slices there is none"
    instance = gpu.create_instance(gpu.model.row("1g.10gb"))
    assert not has_cuda_device(hardware, None)
    slices = frozenset({gpu.create_compute_instance(instance, 0).uuid})
    assert has_cuda_device(hardware, None)
    assert has_cuda_device(hardware, slices)
    assert not has_cuda_device(hardware, frozenset({"MIG-of-another-gpu"}))


def test_without_a_driver_there_is_no_cuda_device() -> None:
    hardware = NodeHardware(["h100-80gb-hbm3"])
    hardware.init_error = 9

    assert not has_cuda_device(hardware, None)


@pytest.mark.parametrize(("broken", "code", "last"), [(False, 0, "Done"), (True, 1, "CUDA-capable")])
async def test_the_cuda_sample(broken: bool, code: int, last: str) -> None:
    run = Run()
    run.hardware.init_error = 9 if broken else None

    assert await COMMANDS["vectorAdd"](run.container("vectorAdd")) == code
    assert last in run.log[-1]


async def test_validation_of_driver_and_toolkit_waits_and_leaves_a_file() -> None:
    run = Run()
    for component, path in (("driver", DRIVER_LOADED), ("toolkit", TOOLKIT_RUNS)):
        validating = run.begin(validator, run.container("nvidia-validator", COMPONENT=component))
        await run.clock.sleep(1)
        assert not validating.done()
        run.node.files[path] = ""
        assert await validating == 0
        assert f"{READY_FILES}/{component}-ready" in run.node.files


async def test_the_validator_takes_its_files_along_and_no_others() -> None:
    run = Run()
    others = {DRIVER_LOADED: "", "/run/other-ready": ""}
    run.node.files |= others | {f"{READY_FILES}/driver-ready": "", f"{READY_FILES}/toolkit-ready": ""}
    container = run.container("nvidia-validator")
    holding = run.begin(validator, container)
    container.stop.set()

    assert await holding == 0
    assert run.node.files == others


async def validating(plane: ControlPlane, component: str) -> int:
    run = Run(plane.clock, plane.kube)
    container = run.container("nvidia-validator", COMPONENT=component, NODE_NAME="sim-0", OPERATOR_NAMESPACE="default")
    return await validator(container)


async def test_validation_of_the_plugin_looks_at_capacity(tmp_path: Path) -> None:
    async with control_plane(tmp_path) as plane:
        await plane.node("sim-0")
        waiting = asyncio.create_task(validating(plane, "plugin"))
        await plane.clock.sleep(20)
        assert not waiting.done()
        await has(plane.kube, {"nvidia.com/mig-1g.10gb": "7"})

        assert await waiting == 0


async def test_validation_of_the_plugin_gives_up(tmp_path: Path) -> None:
    async with control_plane(tmp_path) as plane:
        await plane.node("sim-0")
        await has(plane.kube, {"nvidia.com/gpu": "0", "cpu": "4"})
        began = plane.clock.now()

        assert await validating(plane, "plugin") == 1
        assert plane.clock.now() - began >= 29 * 5


async def test_validation_of_cuda_runs_a_pod_and_removes_the_former_one(tmp_path: Path) -> None:
    async with control_plane(tmp_path) as plane:
        first = asyncio.create_task(validating(plane, "cuda"))
        await succeed(plane)
        assert await first == 0

        second = asyncio.create_task(validating(plane, "cuda"))
        (pod,) = await plane.until(PODS, lambda pods: len(pods) == 1 and not pods[0]["status"].get("startTime"))
        await succeed(plane)
        assert await second == 0
        assert pod["spec"]["nodeName"] == "sim-0"
        assert pod["spec"]["initContainers"][0]["image"] == "image:v1"


async def has(kube: Kube, capacity: dict[str, str]) -> None:
    await kube.patch(NODES, "sim-0", {"status": {"capacity": capacity}}, subresource="status")


async def succeed(plane: ControlPlane) -> None:
    """Let the CUDA pod that has not begun yet succeed, as its kubelet would."""
    (pod,) = await plane.until(PODS, lambda pods: len(pods) == 1 and not pods[0]["status"].get("startTime"))
    done = {"status": {"phase": "Succeeded", "startTime": "2026-01-01T00:00:00Z"}}
    await plane.kube.patch(PODS, pod["metadata"]["name"], done, "default", subresource="status")
