"""Time of the cluster: real on a live one, scaled on a simulated one."""

from __future__ import annotations

import time
from typing import Protocol


class ClusterClock(Protocol):
    """Seconds as the cluster counts them; limits and timelines use nothing else. May be read from any thread."""

    @property
    def scale(self) -> float:
        """Cluster seconds per real second; 1.0 is real time, above 1 is faster."""
        ...

    def now(self) -> float:
        """Seconds of the cluster's clock since some fixed moment; never falls."""
        ...


class RealClock:
    """The clock of a live cluster: real seconds since this object was made."""

    scale: float = 1.0

    def __init__(self) -> None:
        self._start = time.monotonic()

    def now(self) -> float:
        """Real seconds since this clock was made."""
        return time.monotonic() - self._start
