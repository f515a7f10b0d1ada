"""A simulated cluster in a thread of its own, for callers that know nothing of event loops."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
import threading
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar

from conformance.sim.clock import Clock
from conformance.sim.cluster.simulation import Simulation
from conformance.sim.node import SimNode
from conformance.sim.options import SimOptions

T = TypeVar("T")

START_SECONDS: Final = 60.0
START_SECONDS_PER_NODE: Final = 0.2
"""Real seconds within which a cluster must be ready; two nodes need about one, each further one less than 0.1."""


_NOT_STARTED: Final = "the simulated cluster has not been started"


class SimulatedCluster:
    """A simulated cluster: starts, hands out a kubeconfig, stops. Use it as a context manager or by start and stop.

    Args:
        options: What it is made of; None means the defaults.
        directory: Where kubeconfig and certificates go; None makes a temporary directory, removed at the end.
        attach: Kubeconfig of another API server that the nodes are to join; None starts the embedded server.
        context: Context of that kubeconfig; None means its current one.
        with_scheduler: Whether to bring the simulated scheduler; None means only to the embedded server.
        with_controllers: Whether to bring the simulated DaemonSet controller; None as above.
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
        """Its clock; `now` and `time` may be asked from any thread."""
        return self._simulation.clock

    @property
    def nodes(self) -> tuple[SimNode, ...]:
        """Its nodes; touch them through `run` only."""
        return self._simulation.nodes

    @property
    def kubeconfig(self) -> Path:
        """Path of the kubeconfig that leads to it.

        Raises:
            RuntimeError: It has not been started.
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
        """Start it and return the path of a kubeconfig.

        Args:
            wait: Whether to wait until every operand runs and every node is labelled and advertises its GPUs.

        Raises:
            SimulationError: It does not get ready in time, or a component failed.
        """
        directory = self._directory or self._temporary_directory()
        limit = START_SECONDS + START_SECONDS_PER_NODE * len(self.nodes)
        self._loop = self._running_loop()
        self._endings.callback(lambda: self._await(self._simulation.stop()))
        try:
            self._kubeconfig = self._await(self._simulation.start(directory, limit if wait else None))
        except BaseException:
            self.stop()
            raise
        return self._kubeconfig

    def stop(self) -> None:
        """End it; does nothing when it has not started or has ended.

        Raises:
            SimulationError: A component failed meanwhile.
        """
        self._endings.close()

    def on_failure(self, action: Callable[[], None]) -> None:
        """Have `action` called, in the cluster's own thread, when a component fails; at once if one has failed."""
        self.run(lambda: self._simulation.notify(action))

    def run(self, action: Callable[[], T]) -> T:
        """Run `action` in the cluster's own thread, between its steps, and return its result."""

        async def act() -> T:
            return action()

        return self._await(act())

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
        """Return an event loop at work in a thread of its own, until the end."""
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
