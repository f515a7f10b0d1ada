"""One container of a pod: its runs, with back-off between them."""

from __future__ import annotations

import asyncio
import logging
import traceback
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from conformance.sim.backoff import BackOff
from conformance.sim.clock import Clock
from conformance.sim.container import Container, Program
from conformance.sim.kube import Object
from conformance.sim.kubelet.logs import ContainerLog
from conformance.sim.kubelet.states import KILLED, LOST, START_FAILED, Running, State, Terminated, Waiting

logger = logging.getLogger(__name__)

START_SECONDS: Final = 0.5
"""Cluster seconds between the decision to start a container and the start of its program."""
FIRST_BACK_OFF: Final = 10.0
LONGEST_BACK_OFF: Final = 300.0
"""Cluster seconds before the second restart, and the limit as they double (kubelet v1.36, containerBackOffPeriod and
MaxContainerBackOff). The first restart is immediate."""
FORGIVEN_AFTER: Final = 600.0
"""A container that ran for longer restarts as if it had never failed (twice the longest wait)."""
FALLBACK_LINES: Final = 80
FALLBACK_LENGTH: Final = 2048
"""The end of a log that becomes a termination message (kubelet v1.36, MaxContainerTerminationMessageLogLines and
MaxContainerTerminationMessageLogLength)."""


@dataclass(frozen=True)
class Launch:
    """What a container runs; `program` is None if the image has no such executable."""

    program: Program | None
    container: Container


class Owner(Protocol):
    """The pod, as its containers see it."""

    description: str
    """The pod in messages: `<name>_<namespace>(<uid>)`."""

    def prepare(self, spec: Object, log: ContainerLog) -> Launch:
        """Return what the container runs next."""

    def changed(self) -> None:
        """Handle a change of a container's state."""

    def note(self, runner: ContainerRunner, reason: str, message: str) -> None:
        """Handle a step of a container that went well; the texts are those of kubelet's events."""

    def backing_off(self, runner: ContainerRunner) -> None:
        """Handle the back-off of a container."""


class ContainerRunner:
    """A container through all its runs.

    Attributes:
        spec: The container's part of the pod's spec.
        name: Name in the pod.
        state: Current state.
        done: Whether it has terminated and will not restart.
        last: State at the end of the previous run; None before the second run.
        restarts: Number of restarts.
        log: Log of the current run, or of the last one between runs.
        former_log: Log of the previous run; None before the second run.
        container: The current run, as its program sees it; None between runs.
        id: Container id of the current or last run; empty before the first.
    """

    def __init__(self, spec: Object, clock: Clock, owner: Owner, restarts: int = 0) -> None:
        self.spec = spec
        self.name: str = spec["name"]
        self.state: State = Waiting("ContainerCreating")
        self.done = False
        self.last: Terminated | None = None
        self.restarts = restarts
        self.log = ContainerLog()
        self.former_log: ContainerLog | None = None
        self.container: Container | None = None
        self.id = ""
        self._clock = clock
        self._owner = owner
        self._stop = asyncio.Event()
        self._process: asyncio.Task[int] | None = None

    async def run(self, restart: Callable[[int], bool]) -> int:
        """Run the container until it is done, and return the last exit code.

        Args:
            restart: Returns whether to restart it after this exit code.
        """
        back_off = BackOff(FIRST_BACK_OFF, LONGEST_BACK_OFF)
        while True:
            ended = await self._run_once()
            self.state, self.done = ended, self._stop.is_set() or not restart(ended.exit_code)
            self._owner.changed()
            if self.done:
                return ended.exit_code
            self.last = ended
            if (ended.finished - ended.started).total_seconds() > FORGIVEN_AFTER:
                back_off.reset()
            if await self._backed_off(back_off.seconds):
                return ended.exit_code
            back_off.lengthen()
            self.restarts += 1
            self.former_log, self.log = self.log, ContainerLog()

    def lost_with(self, former: ContainerRunner) -> None:
        """Take over how the container ended before or with a reboot; without effect if it had not started.

        containerd reports exit code 255 and the reason Unknown for a task that it no longer finds.
        """
        match former.state:
            case Running(started):
                self.state = Terminated(LOST, started, self._clock.time(), former.id, "Unknown")
            case Terminated():
                self.state = former.state
            case _:
                return
        self.done, self.id, self.restarts = True, former.id, former.restarts

    def stop(self) -> None:
        """Stop it (SIGTERM) without a restart."""
        self._stop.set()
        if self.container is not None:
            self.container.stop.set()

    def kill(self) -> None:
        """Kill it (SIGKILL)."""
        self.stop()
        if self._process is not None:
            self._process.cancel()

    async def _run_once(self) -> Terminated:
        self.id = f"containerd://{uuid.uuid4().hex}"
        stopped = await self._stopped_within(START_SECONDS)
        started = self._clock.time()
        if stopped:
            return Terminated(KILLED, started, started, self.id)
        launch = self._owner.prepare(self.spec, self.log)
        there = f'Container image "{self.spec.get("image")}" already present on machine and can be accessed by the pod'
        self._owner.note(self, "Pulled", there)
        self._owner.note(self, "Created", "Container created")
        if launch.program is None:
            self.log.close()
            message = _not_found(launch.container.command)
            return Terminated(START_FAILED, started, started, self.id, "StartError", message)
        self.container = launch.container
        self.state = Running(started)
        self._owner.note(self, "Started", "Container started")
        self._owner.changed()
        code = await self._execute(launch.program, launch.container)
        message = launch.container.message or self._end_of_log(code)
        return Terminated(code, started, self._clock.time(), self.id, message=message)

    def _end_of_log(self, code: int) -> str:
        """Return the termination message of a container that wrote none, failed, and asks for its log instead."""
        if not code or self.spec.get("terminationMessagePolicy") != "FallbackToLogsOnError":
            return ""
        return "\n".join(self.log.lines()[-FALLBACK_LINES:])[-FALLBACK_LENGTH:]

    async def _execute(self, program: Program, container: Container) -> int:
        """Run the program; cancellation, as when the node goes down, stops it."""
        self._process = asyncio.create_task(_guarded(program, container), name=f"container {self.name}")
        try:
            await asyncio.wait({self._process})
            return KILLED if self._process.cancelled() else self._process.result()
        finally:
            self._process.cancel()
            self._process = None
            self.container = None
            self.log.close()

    async def _backed_off(self, seconds: float) -> bool:
        """Wait before the next run; return whether the container was stopped meanwhile."""
        if seconds:
            restarting = f"restarting failed container={self.name} pod={self._owner.description}"
            self.state = Waiting("CrashLoopBackOff", f"back-off {_go_duration(seconds)} {restarting}")
            self._owner.changed()
            self._owner.backing_off(self)
        return await self._stopped_within(seconds)

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            return await self._clock.wait(self._stop, seconds)
        except TimeoutError:
            return False


async def _guarded(program: Program, container: Container) -> int:
    """Run a program; an exception counts as a crash, with the traceback in the container's log."""
    try:
        return await program(container)
    except Exception:
        logger.exception("program of container %s in pod %s", container.name, container.pod["metadata"]["name"])
        container.log(traceback.format_exc())
        return 1


def _not_found(command: Sequence[str]) -> str:
    """Return the message of containerd 2 and runc for a missing executable."""
    executable = command[0] if command else ""
    return (
        "failed to create containerd task: failed to create shim task: OCI runtime create failed: runc create failed: "
        f'unable to start container process: error during container init: exec: "{executable}": '
        "executable file not found in $PATH"
    )


def _go_duration(seconds: float) -> str:
    """Return whole seconds in Go's format: `10s`, `1m20s`, `5m0s`."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}m{rest}s" if minutes else f"{rest}s"
