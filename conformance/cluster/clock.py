"""The cluster's clock: real time on a live cluster, scaled time on a simulated one."""

from __future__ import annotations

import time
from typing import Protocol


class ClusterClock(Protocol):
    """The clock that limits and timelines use. It may be read from any thread."""

    @property
    def scale(self) -> float:
        """Cluster seconds per real second: 1.0 is real time, more is faster."""
        ...

    def now(self) -> float:
        """Seconds of the cluster's clock since a fixed moment; never decreases."""
        ...


class RealClock:
    """The clock of a live cluster: real seconds since this object was created."""

    scale: float = 1.0

    def __init__(self) -> None:
        self._start = time.monotonic()

    def now(self) -> float:
        """Real seconds since this clock was created."""
        return time.monotonic() - self._start
