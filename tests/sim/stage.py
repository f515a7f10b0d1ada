"""A cluster of nothing but an API server, kubelets and a scheduler, for tests of these."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from conformance.sim.apiserver import ApiServer
from conformance.sim.clock import Clock
from conformance.sim.container import Program
from conformance.sim.faults import Faults
from conformance.sim.hardware import NodeHardware
from conformance.sim.kube import NODES, PODS, Informer, Kube, KubeError, Object, Resource
from conformance.sim.kubelet.endpoint import LOOPBACK
from conformance.sim.kubelet.kubelet import Kubelet
from conformance.sim.kubelet.programs import Programs
from conformance.sim.node import SimNode
from conformance.sim.plugin_api import AllocateError, AllocateResponse, Device
from conformance.sim.scheduler import Scheduler

SCALE = 200.0
PATIENCE = 20.0
"""Real seconds after which a test gives up waiting for the cluster."""
GPU = "nvidia.com/gpu"


@dataclass
class Plugin:
    """A device plug-in that gives away whatever exists."""

    resource: str = GPU
    ids: Sequence[str] = ("GPU-a", "GPU-b")
    sick: Collection[str] = ()
    refuses: str = ""
    crashes: Exception | None = None
    answers: Sequence[str] | Exception | None = None
    asked: list[Sequence[str]] = field(default_factory=list)

    def devices(self) -> Sequence[Device]:
        return [Device(name, "Unhealthy" if name in self.sick else "Healthy") for name in self.ids]

    def allocate(self, ids: Sequence[str]) -> AllocateResponse:
        if self.refuses:
            raise AllocateError(self.refuses)
        if self.crashes is not None:
            raise self.crashes
        self.asked.append(ids)
        return AllocateResponse(envs={"NVIDIA_VISIBLE_DEVICES": ",".join(ids)}, uuids=frozenset(ids))

    def preferred(self, available: Collection[str], required: Collection[str], size: int) -> Sequence[str]:
        assert not required
        if isinstance(self.answers, Exception):
            raise self.answers
        if self.answers is not None:
            return self.answers
        return sorted(available)[:size]


@dataclass
class Stage:
    """The cluster of a test."""

    kube: Kube
    clock: Clock
    kubelet: Kubelet
    nodes: Sequence[SimNode]
    kubeconfig: Path

    async def create(self, **pod: Any) -> Object:
        return await self.kube.create(PODS, make_pod(**pod), "default")

    async def until(self, holds: Callable[[], object], resource: Resource = PODS) -> None:
        """Wait until something holds, looking whenever an object of the kind changes."""
        await until(self.kube.informer(resource), holds)

    async def until_pod(self, name: str, holds: Callable[[Object], object]) -> Object:
        """Wait until a pod is as it should be, and return it."""
        await self.until(lambda: (pod := self.pod(name)) is not None and holds(pod))
        found = self.pod(name)
        assert found is not None
        return found

    async def until_phase(self, name: str, phase: str) -> Object:
        return await self.until_pod(name, lambda pod: pod["status"].get("phase") == phase)

    async def until_gone(self, name: str) -> None:
        await self.until(lambda: self.pod(name) is None)

    async def until_node(self, holds: Callable[[Object], object], name: str = "sim-0") -> Object:
        await self.until(lambda: holds(self.node(name)), NODES)
        return self.node(name)

    def pod(self, name: str) -> Object | None:
        return self.kube.informer(PODS).get(name, "default")

    def node(self, name: str = "sim-0") -> Object:
        found = self.kube.informer(NODES).get(name)
        assert found is not None
        return found

    def log(self, name: str, container: str = "main") -> list[str]:
        worker = self.kubelet.find_worker("default", name)
        assert worker is not None
        return next(runner for runner in worker.containers if runner.name == container).log.lines()


async def until(informer: Informer, holds: Callable[[], object]) -> None:
    """Wait until something holds, looking whenever the informer tells a change."""
    changed = asyncio.Event()
    unsubscribe = informer.on_change(lambda *_: changed.set())
    try:
        async with asyncio.timeout(PATIENCE):
            while not holds():
                changed.clear()
                await changed.wait()
    finally:
        unsubscribe()


@asynccontextmanager
async def stage(
    nodes: int = 1,
    *,
    images: Mapping[str, Program] | None = None,
    commands: Mapping[str, Program] | None = None,
    faults: Collection[str] = (),
    scale: float = SCALE,
    scheduler: bool = False,
    address: str = LOOPBACK,
    normal_events: bool = False,
) -> AsyncIterator[Stage]:
    """Open a cluster, and end it with its event loop clean; pods name their node where there is no scheduler."""
    clock, switched = Clock(scale), Faults(faults)
    with tempfile.TemporaryDirectory() as directory:
        server = ApiServer(Path(directory), clock)
        await server.start()
        kube = await Kube.connect(server.kubeconfig)
        kubelet = Kubelet(kube, clock, Programs(images or {}, commands or {}), address, normal_events=normal_events)
        machines = [SimNode(name, _hardware(name), clock, switched) for name in (f"sim-{i}" for i in range(nodes))]
        await kubelet.start(machines)
        for resource in (NODES, PODS):
            await kube.informer(resource).synced.wait()
        pods = Scheduler(kube, clock, switched, normal_events=normal_events) if scheduler else None
        scheduling = asyncio.create_task(pods.run()) if pods else None
        try:
            yield Stage(kube, clock, kubelet, machines, server.kubeconfig)
        finally:
            if scheduling is not None:
                scheduling.cancel()
                await asyncio.gather(scheduling, return_exceptions=True)
            await kubelet.stop()
            await kube.close()
            await server.stop()
            clock.stop()


def make_pod(
    name: str = "pod",
    *,
    command: Sequence[str] = ("sleep", "infinity"),
    image: str = "ubuntu:24.04",
    node: str | None = "sim-0",
    restart: str = "Never",
    limits: Mapping[str, str] | None = None,
    init: Sequence[Object] = (),
    container: Mapping[str, Any] | None = None,
    **spec: Any,
) -> Object:
    """Return a pod with one container `main`; `container` and `spec` add to the container and to the pod's spec."""
    main: Object = {"name": "main", "image": image, "command": list(command)}
    if limits:
        main["resources"] = {"limits": dict(limits)}
    placed = {"nodeName": node} if node else {}
    body = {"restartPolicy": restart, "containers": [main | dict(container or {})], **placed, **spec}
    if init:
        body["initContainers"] = list(init)
    return {"metadata": {"name": name}, "spec": body}


async def refused(request: Any) -> KubeError:
    """Return how the server refuses a request."""
    try:
        await request
    except KubeError as error:
        return error
    raise AssertionError("the server accepted it")


def _hardware(node: str) -> NodeHardware:
    return NodeHardware(["h100-80gb-hbm3"] * 2, node=node)
