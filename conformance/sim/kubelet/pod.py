"""One pod on a node, from its admission to the removal of its object."""

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
    """The node, as its pods see it; `Runtime` implements it."""

    @property
    def clock(self) -> Clock:
        """The cluster's clock."""

    def admit(self, pod: Object) -> dict[str, Grant]:
        """Allocate devices for all containers of the pod, and return them by container.

        Raises:
            DeviceError: The devices are not available.
        """

    async def mount(self, pod: Object) -> None:
        """Wait until all volumes of the pod can be mounted."""

    def prepare(self, pod: Object, spec: Object, grant: Grant, log: ContainerLog, ip: str) -> Launch:
        """Return what a container of the pod runs next."""

    def new_address(self, pod: Object) -> str:
        """Return the IP address of a new pod."""

    def warn(self, pod: Object, reason: str, message: str) -> None:
        """Write a warning event for the pod."""

    def note(self, pod: Object, reason: str, message: str, part: str) -> None:
        """Write an event of type Normal for a container of the pod; `part` is its field."""

    def write_status(self, worker: PodAtWork, *, soon: bool) -> None:
        """Write the pod's status: now or, for progress before the start, `soon`."""

    def released(self, pod: Object) -> None:
        """Release the pod's devices."""

    async def remove(self, pod: Object) -> None:
        """Remove the object of a pod that has terminated."""


END_SECONDS: Final = 0.3
"""Minimum cluster seconds between the request to terminate a pod and its removal: cleanup by the container runtime."""


class PodWorker:
    """A pod that runs on a node.

    Args:
        machine: The node.
        pod: The Pod object.
        former: The worker of the same pod before a reboot; None for a new pod.

    Attributes:
        pod: The Pod object as last seen.
        description: The pod in messages: `<name>_<namespace>(<uid>)`.
        policy: Restart policy.
        ip: IP address; empty until the pod is admitted.
        inits: Init containers, in order.
        mains: Other containers.
        status: Builds the status of the pod.
    """

    def __init__(self, machine: Machine, pod: Object, former: PodWorker | None = None) -> None:
        meta = pod["metadata"]
        self.pod = pod
        self.uid: str = meta["uid"]
        self.description = f"{meta['name']}_{meta['namespace']}({self.uid})"
        self.ip = ""
        clock = machine.clock
        restarts = 1 + max(runner.restarts for runner in former.containers) if former else 0
        self.inits: Sequence[ContainerRunner] = [
            ContainerRunner(spec, clock, self, restarts) for spec in pod["spec"].get("initContainers") or []
        ]
        self.mains: Sequence[ContainerRunner] = [
            ContainerRunner(spec, clock, self, restarts) for spec in pod["spec"]["containers"]
        ]
        self._former = former
        self.status = StatusBuilder(clock)
        self._machine = machine
        self.policy: str = pod["spec"].get("restartPolicy") or "Always"
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
        """Start the pod; it runs until it completes, or until `terminate` or `vanish`."""
        self._tasks.spawn(self._live(), f"pod {self.description}")

    @property
    def over(self) -> bool:
        """Whether the pod has ended and no container will run again."""
        return self.status.phase_of(self) in ("Succeeded", "Failed")

    def stay_over(self) -> None:
        """After a reboot, say again how the pod had ended, and remove it once that is asked for."""
        self._tasks.spawn(self._rest(), f"end of pod {self.description}")

    def terminate(self, grace_seconds: float) -> None:
        """Stop all containers, kill the rest after the grace period, then remove the object."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._stopped_at = self._machine.clock.now()
        self._end_containers(grace_seconds)

    async def gone(self) -> None:
        """Stop the containers of a pod whose object has been removed."""
        if not self._removing:
            await self.vanish()

    async def vanish(self) -> None:
        """Kill everything at once without updating the API server, as when the node goes down."""
        await self._tasks.stop()
        self._machine.released(self.pod)

    def prepare(self, spec: Object, log: ContainerLog) -> Launch:
        """Return what a container runs next."""
        return self._machine.prepare(self.pod, spec, self._grants.get(spec["name"], Grant()), log, self.ip)

    def changed(self) -> None:
        """Write the new state of a container, unless the object is about to be removed."""
        if not self._stop.is_set():
            self._machine.write_status(self, soon=self.status.phase_of(self) == "Pending")

    def note(self, runner: ContainerRunner, reason: str, message: str) -> None:
        """Write an event of type Normal for a container."""
        kind = "initContainers" if runner in self.inits else "containers"
        self._machine.note(self.pod, reason, message, f"spec.{kind}{{{runner.name}}}")

    def backing_off(self, runner: ContainerRunner) -> None:
        """Write the event for a container in back-off."""
        message = f"Back-off restarting failed container {runner.name} in pod {self.description}"
        self._machine.warn(self.pod, "BackOff", message)

    async def _live(self) -> None:
        if self._former is not None and self.policy == "Never" and self._ended_with(self._former):
            await self._rest()
            return
        try:
            self._grants = self._machine.admit(self.pod)
        except DeviceError as error:
            self._reject("UnexpectedAdmissionError", f"Allocate failed due to {error}, which is unexpected")
        else:
            self.ip = self._machine.new_address(self.pod)
            with self._deadline():
                await self._run_containers()
        await self._rest()

    def _ended_with(self, former: PodWorker) -> bool:
        """Take over the containers of a pod that ran before a reboot; return whether one of them had started.

        A pod with the policy Never is then over (kubernetes v1.36, pkg/kubelet/kuberuntime: no new sandbox for it).
        """
        self.ip = former.ip
        for mine, lost in zip(self.containers, former.containers, strict=True):
            mine.lost_with(lost)
        return any(runner.done for runner in self.containers)

    async def _rest(self) -> None:
        """Report the end of a pod that has completed, and remove the object once that is asked for."""
        self._machine.released(self.pod)
        if not self._stop.is_set():
            self._machine.write_status(self, soon=False)
            await self._stop.wait()
        await self._machine.clock.sleep(self._stopped_at + END_SECONDS - self._machine.clock.now())
        self._removing = True
        await self._machine.remove(self.pod)

    @contextmanager
    def _deadline(self) -> Iterator[None]:
        """Kill the pod when its deadline expires."""
        seconds = self.pod["spec"].get("activeDeadlineSeconds")
        timer = self._machine.clock.call_later(seconds, self._expire) if seconds else None
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()

    async def _run_containers(self) -> None:
        """Run the init containers one after the other, then all other containers together, until they are done."""
        if not await self._mounted():
            return
        for init in self.inits:
            if await init.run(lambda code: code != 0 and self.policy != "Never") != 0 or self._stop.is_set():
                return
        await asyncio.gather(*(main.run(self._starts_again) for main in self.mains))

    async def _mounted(self) -> bool:
        """Wait for the volumes; return whether they could be mounted before the pod was stopped."""
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
        return self.policy == "Always" or (self.policy == "OnFailure" and exit_code != 0)

    def _reject(self, reason: str, message: str) -> None:
        """Fail the pod before any container has run."""
        self.status.fail(reason, f"Pod was rejected: {message}")
        self._machine.warn(self.pod, reason, message)

    def _expire(self) -> None:
        """Fail the pod because it exceeded its deadline."""
        self.status.fail("DeadlineExceeded", "Pod was active on the node longer than the specified deadline")
        self._end_containers(self.pod["spec"].get("terminationGracePeriodSeconds") or 0)

    def _end_containers(self, grace_seconds: float) -> None:
        for runner in self.containers:
            if runner.container is not None:
                self.note(runner, "Killing", f"Stopping container {runner.name}")
            runner.stop()
        self._machine.clock.call_later(grace_seconds, self._kill)

    def _kill(self) -> None:
        for runner in self.containers:
            runner.kill()
