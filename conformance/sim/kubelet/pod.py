"""One pod on a node, from its first container to the removal of its object."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final, Protocol

from conformance.sim.clock import Clock
from conformance.sim.device_manager import DeviceError, Grant
from conformance.sim.kube import Object
from conformance.sim.kubelet.containers import ContainerRunner, Launch
from conformance.sim.kubelet.logs import ContainerLog
from conformance.sim.kubelet.podstatus import PodAtWork, StatusBuilder
from conformance.sim.tasks import Tasks


class Machine(Protocol):
    """The node, as its pods see it."""

    @property
    def clock(self) -> Clock:
        """The cluster's clock."""

    def admit(self, pod: Object) -> dict[str, Grant]:
        """Give all containers of the pod their devices, and return them by container.

        Raises:
            DeviceError: They cannot be had.
        """

    async def mount(self, pod: Object) -> None:
        """Wait until all volumes of the pod are there."""

    def prepare(self, pod: Object, spec: Object, grant: Grant, log: ContainerLog, ip: str) -> Launch:
        """Put together what a container of the pod is to run now."""

    def new_address(self, pod: Object) -> str:
        """Return the IP address of a new pod."""

    def warn(self, pod: Object, reason: str, message: str) -> None:
        """Tell people by an event of the pod."""

    def write_status(self, worker: PodAtWork, *, soon: bool) -> None:
        """Write the pod's status: now, or `soon` where it is only progress before the start."""

    def released(self, pod: Object) -> None:
        """Take back what the pod held."""

    async def remove(self, pod: Object) -> None:
        """Remove the object of a pod that has ended."""


END_SECONDS: Final = 0.3
"""From the request to end a pod until it is gone, at least: the runtime's work after the last program ended."""


class PodWorker:
    """A pod at work.

    Attributes:
        pod: The Pod object as last seen.
        description: How messages name the pod.
        ip: Its address; empty until it was admitted.
        inits: Its init containers, in order.
        mains: Its other containers.
        status: How its status is put together.
    """

    def __init__(self, machine: Machine, pod: Object, restarts: int = 0) -> None:
        meta = pod["metadata"]
        self.pod = pod
        self.uid: str = meta["uid"]
        self.description = f"{meta['name']}_{meta['namespace']}({self.uid})"
        self.ip = ""
        clock = machine.clock
        self.inits: Sequence[ContainerRunner] = [
            ContainerRunner(spec, clock, self, restarts) for spec in pod["spec"].get("initContainers") or []
        ]
        self.mains: Sequence[ContainerRunner] = [
            ContainerRunner(spec, clock, self, restarts) for spec in pod["spec"]["containers"]
        ]
        self.status = StatusBuilder(clock)
        self._machine = machine
        self._policy: str = pod["spec"].get("restartPolicy") or "Always"
        self._grants: dict[str, Grant] = {}
        self._stop = asyncio.Event()
        self._stopped_at = 0.0
        self._removing = False
        self._tasks = Tasks()

    @property
    def containers(self) -> Sequence[ContainerRunner]:
        """All containers, init containers first."""
        return [*self.inits, *self.mains]

    def start(self) -> None:
        """Begin; the pod ends by itself, or by `terminate`, or by `vanish`."""
        self._tasks.spawn(self._live(), f"pod {self.description}")

    def terminate(self, grace_seconds: float) -> None:
        """Ask all containers to end, kill what is left after the grace period, and remove the object then."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._stopped_at = self._machine.clock.now()
        self._end_containers(grace_seconds)

    async def gone(self) -> None:
        """End what still runs of a pod whose object somebody removed."""
        if not self._removing:
            await self.vanish()

    async def vanish(self) -> None:
        """End everything at once and without a word, as when the node goes down."""
        await self._tasks.stop()
        self._machine.released(self.pod)

    def prepare(self, spec: Object, log: ContainerLog) -> Launch:
        """Put together what a container is to run now."""
        return self._machine.prepare(self.pod, spec, self._grants.get(spec["name"], Grant()), log, self.ip)

    def changed(self) -> None:
        """Have the new state of a container written, unless the object is about to go anyway."""
        if not self._stop.is_set():
            self._machine.write_status(self, soon=self.status.phase_of(self) == "Pending")

    def backing_off(self, runner: ContainerRunner) -> None:
        """Tell that a container keeps ending."""
        message = f"Back-off restarting failed container {runner.name} in pod {self.description}"
        self._machine.warn(self.pod, "BackOff", message)

    async def _live(self) -> None:
        try:
            self._grants = self._machine.admit(self.pod)
        except DeviceError as error:
            self._reject("UnexpectedAdmissionError", f"Allocate failed due to {error}, which is unexpected")
        else:
            self.ip = self._machine.new_address(self.pod)
            with self._deadline():
                await self._run_containers()
        self._machine.released(self.pod)
        if not self._stop.is_set():
            self._machine.write_status(self, soon=False)
            await self._stop.wait()
        await self._machine.clock.sleep(self._stopped_at + END_SECONDS - self._machine.clock.now())
        self._removing = True
        await self._machine.remove(self.pod)

    @contextmanager
    def _deadline(self) -> Iterator[None]:
        """Let the pod expire unless its containers have ended by then."""
        seconds = self.pod["spec"].get("activeDeadlineSeconds")
        timer = self._machine.clock.call_later(seconds, self._expire) if seconds else None
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()

    async def _run_containers(self) -> None:
        """Run the init containers one after the other, then all others together, until they are done."""
        if not await self._mounted():
            return
        for init in self.inits:
            if await init.run(lambda code: code != 0 and self._policy != "Never") != 0 or self._stop.is_set():
                return
        await asyncio.gather(*(main.run(self._starts_again) for main in self.mains))

    async def _mounted(self) -> bool:
        """Wait for the volumes; return whether they came before the pod's end."""
        mounting = asyncio.ensure_future(self._machine.mount(self.pod))
        stopping = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait({mounting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if mounting.done():
                mounting.result()
            return not self._stop.is_set()
        finally:
            mounting.cancel()
            stopping.cancel()

    def _starts_again(self, exit_code: int) -> bool:
        return self._policy == "Always" or (self._policy == "OnFailure" and exit_code != 0)

    def _reject(self, reason: str, message: str) -> None:
        """Let the pod fail before anything of it ran."""
        self.status.fail(reason, f"Pod was rejected: {message}")
        self._machine.warn(self.pod, reason, message)

    def _expire(self) -> None:
        """Let the pod fail because it ran longer than it may."""
        self.status.fail("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
        self._end_containers(self.pod["spec"].get("terminationGracePeriodSeconds") or 0)

    def _end_containers(self, grace_seconds: float) -> None:
        for runner in self.containers:
            runner.stop()
        self._machine.clock.call_later(grace_seconds, self._kill)

    def _kill(self) -> None:
        for runner in self.containers:
            runner.kill()
