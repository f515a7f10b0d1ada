"""A simulated cluster in its own thread, for callers without an event loop."""

from __future__ import annotations

import asyncio
import gc
import shutil
import tempfile
import threading
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from conformance.sim.apiserver import ApiServer, Interruption
from conformance.sim.clock import Clock
from conformance.sim.cluster.simulation import Simulation
from conformance.sim.node import SimNode
from conformance.sim.options import SimOptions

T = TypeVar("T")

GARBAGE_THRESHOLDS: Final = (100_000, 50, 1000)
"""How rarely Python looks for reference cycles while a cluster runs in the process. Each full look visits every object
of the cluster; with Python's defaults that takes a tenth of the CPU time of a run."""
START_SECONDS: Final = 60.0
START_SECONDS_PER_NODE: Final = 0.2
"""Real seconds within which a cluster must be ready; two nodes need about one, each further one less than 0.1."""


_NOT_STARTED: Final = "the simulated cluster has not been started"


class SimulatedCluster:
    """A simulated cluster. Use it as a context manager, or call `start` and `stop`.

    Args:
        options: Its composition; None for the defaults.
        directory: Directory for the kubeconfig; None for a temporary one that is deleted at the end.
        attach: Kubeconfig of another API server for the nodes to join; None starts the embedded server.
        context: Context in that kubeconfig; None for the current one.
        with_scheduler: Whether to run the simulated scheduler; None runs it for the embedded server only.
        with_controllers: Whether to run the simulated controllers of DaemonSets and Deployments; None runs them for the
            embedded server only.
    """

    def __init__(
        self,
        options: SimOptions | None = None,
        *,
        directory: Path | None = None,
        attach: Path | None = None,
        context: str | None = None,
        with_scheduler: bool | None = None,
        with_controllers: bool | None = None,
    ) -> None:
        self._simulation = Simulation(
            options or SimOptions(),
            attach=attach,
            context=context,
            with_scheduler=attach is None if with_scheduler is None else with_scheduler,
            with_controllers=attach is None if with_controllers is None else with_controllers,
        )
        self._directory = directory
        self._kubeconfig: Path | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._endings = ExitStack()

    @property
    def clock(self) -> Clock:
        """The clock of the cluster; `now` and `time` may be called from any thread."""
        return self._simulation.clock

    @property
    def nodes(self) -> tuple[SimNode, ...]:
        """The nodes; access them only through `run`."""
        return self._simulation.nodes

    @property
    def kubeconfig(self) -> Path:
        """Path of the kubeconfig.

        Raises:
            RuntimeError: The cluster has not been started.
        """
        if self._kubeconfig is None:
            raise RuntimeError(_NOT_STARTED)
        return self._kubeconfig

    def node(self, name: str) -> SimNode:
        """Return one node.

        Raises:
            KeyError: There is no such node.
        """
        return {node.name: node for node in self.nodes}[name]

    def start(self, *, wait: bool = True) -> Path:
        """Start the cluster and return the path of a kubeconfig.

        Args:
            wait: Whether to wait until every operand runs and every node is labelled and advertises its GPUs.

        Raises:
            SimulationError: The cluster does not become ready in time, or a component failed.
        """
        limit = START_SECONDS + START_SECONDS_PER_NODE * len(self.nodes)
        self._endings.callback(gc.set_threshold, *gc.get_threshold())
        directory = self._directory or self._temporary_directory()
        gc.set_threshold(*GARBAGE_THRESHOLDS)
        self._loop = self._running_loop()
        self._endings.callback(lambda: self._await(self._simulation.stop()))
        try:
            self._kubeconfig = self._await(self._simulation.start(directory, limit if wait else None))
        except BaseException:
            self.stop()
            raise
        return self._kubeconfig

    def stop(self) -> None:
        """Stop the cluster; does nothing if it is not running.

        Raises:
            SimulationError: A component failed while it was running.
        """
        self._endings.close()

    def on_failure(self, action: Callable[[], None]) -> None:
        """Call `action` in the cluster's thread when a component fails; at once if one has already failed."""
        self.run(lambda: self._simulation.notify(action))

    def run(self, action: Callable[[], T]) -> T:
        """Run `action` in the cluster's thread and return its result."""

        async def act() -> T:
            return action()

        return self._await(act())

    @property
    def server(self) -> ApiServer:
        """The embedded API server; access it only through `run`.

        Raises:
            RuntimeError: The nodes joined another API server.
        """
        if self._simulation.server is None:
            raise RuntimeError("there is no embedded API server")
        return self._simulation.server

    def interrupt(self, how: Interruption, seconds: float) -> None:
        """Interrupt the embedded API server for some real seconds; returns when it works again."""

        async def interrupt() -> None:
            await self.server.interrupt(how)
            await asyncio.sleep(seconds)
            await self.server.resume()

        self._await(interrupt())

    def lose(self, name: str) -> None:
        """Take the machine of a node away: its kubelet and its pods end, and nobody is told.

        The node becomes not Ready once the cluster has missed it for long enough.
        """
        self._await(self._simulation.lose(name))

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def _temporary_directory(self) -> Path:
        directory = Path(tempfile.mkdtemp(prefix="mig-sim-"))
        self._endings.callback(shutil.rmtree, directory)
        return directory

    def _running_loop(self) -> asyncio.AbstractEventLoop:
        """Return an event loop that runs in its own thread until `stop`."""
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="simulated cluster", daemon=True)
        thread.start()
        self._endings.callback(loop.close)
        self._endings.callback(thread.join)
        self._endings.callback(loop.call_soon_threadsafe, loop.stop)
        return loop

    def _await(self, work: Coroutine[None, None, T]) -> T:
        if self._loop is None:
            work.close()
            raise RuntimeError(_NOT_STARTED)
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()
