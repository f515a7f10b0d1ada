"""An embedded API server with some controllers on it, and no kubelet: what they write is all that happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

from conformance.sim.apiserver import ApiServer
from conformance.sim.clock import Clock
from conformance.sim.kube import NODES, Kube, Object, Resource
from conformance.sim.tasks import Tasks

LIMIT = 20
"""Real seconds; every wait takes a fraction of one."""
GPU_FOUND = {"feature.node.kubernetes.io/pci-10de.present": "true"}


class Controller(Protocol):
    async def run(self) -> None: ...


class ControlPlane:
    """The server's client, the clock, and ways to make and to wait for objects."""

    def __init__(self, kube: Kube, clock: Clock) -> None:
        self.kube = kube
        self.clock = clock
        self._tasks = Tasks()

    def run(self, *controllers: Controller) -> None:
        """Let controllers work until the end."""
        for controller in controllers:
            self._tasks.spawn(controller.run(), type(controller).__name__)

    async def node(self, name: str, **labels: str) -> None:
        """Create a node; `_` in a label's name stands for `/`."""
        named = {key.replace("_", "/"): value for key, value in labels.items()}
        await self.kube.create(NODES, {"metadata": {"name": name, "labels": named}})

    async def label(self, node: str, labels: dict[str, str | None]) -> None:
        """Set labels of a node; None removes."""
        await self.kube.patch(NODES, node, {"metadata": {"labels": labels}})

    async def until(self, kind: Resource, holds: Callable[[list[Object]], bool]) -> list[Object]:
        """Wait until the objects of a kind are as they should be, and return them."""
        informer = self.kube.informer(kind)
        changed = asyncio.Event()
        unsubscribe = informer.on_change(lambda *_: changed.set())
        try:
            async with asyncio.timeout(LIMIT):
                await informer.synced.wait()
                while not holds(found := list(informer.cache.values())):
                    await changed.wait()
                    changed.clear()
                return found
        except TimeoutError:
            raise AssertionError(f"{kind.plural} did not get there: {list(informer.cache.values())}") from None
        finally:
            unsubscribe()

    async def settled(self, seconds: float = 30) -> None:
        """Let so many cluster seconds pass, in which the controllers could do what they should not."""
        await self.clock.sleep(seconds)

    async def stop(self) -> None:
        await self._tasks.stop()


@asynccontextmanager
async def control_plane(directory: Path) -> AsyncIterator[ControlPlane]:
    """Start a server, and end it with all that was started on it."""
    clock = Clock(200)
    server = ApiServer(directory, clock)
    await server.start()
    kube = await Kube.connect(server.kubeconfig)
    plane = ControlPlane(kube, clock)
    try:
        yield plane
    finally:
        await plane.stop()
        await kube.close()
        await server.stop()
