"""States of a container, and their representation in the Pod object."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from conformance.sim.kube import Object
from conformance.spec.times import api_time

KILLED: Final = 137
"""Exit code of a container that SIGKILL ended (128 + 9)."""
LOST: Final = 255
"""Exit code of a container whose end the runtime did not see, as after a reboot."""
START_FAILED: Final = 128
"""Exit code that the runtime gives a container whose executable does not exist."""


@dataclass(frozen=True)
class Waiting:
    """Waiting to run.

    Attributes:
        reason: `ContainerCreating`, `PodInitializing`, `CrashLoopBackOff` or `CreateContainerConfigError`.
        message: Details; empty for none.
    """

    reason: str
    message: str = ""

    def as_json(self) -> Object:
        """Return the `state` of a container status."""
        return {"waiting": {"reason": self.reason} | ({"message": self.message} if self.message else {})}


@dataclass(frozen=True)
class Running:
    """Running since `started`."""

    started: datetime

    def as_json(self) -> Object:
        """Return the `state` of a container status."""
        return {"running": {"startedAt": api_time(self.started)}}


@dataclass(frozen=True)
class Terminated:
    """Terminated with an exit code; an empty `reason` means `Completed` for code 0 and `Error` for any other."""

    exit_code: int
    started: datetime
    finished: datetime
    container_id: str
    reason: str = ""
    message: str = ""

    def as_json(self) -> Object:
        """Return the `state` or `lastState` of a container status."""
        ended: Object = {
            "exitCode": self.exit_code,
            "reason": self.reason or ("Error" if self.exit_code else "Completed"),
            "startedAt": api_time(self.started),
            "finishedAt": api_time(self.finished),
            "containerID": self.container_id,
        }
        return {"terminated": ended | ({"message": self.message} if self.message else {})}


State = Waiting | Running | Terminated
