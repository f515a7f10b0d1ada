"""Times in which the API server did not answer. They do not count for any limit: the cluster could not be seen."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

NOTABLE: Final = 1.0
"""Real seconds: a watch that is resumed sooner has missed nothing, and a component had no time to give up."""


@dataclass(frozen=True)
class Lost:
    """A length of time.

    Attributes:
        seconds: In seconds of the cluster's clock.
        real: In real seconds.
    """

    seconds: float = 0.0
    real: float = 0.0

    def __add__(self, other: Lost) -> Lost:
        return Lost(self.seconds + other.seconds, self.real + other.real)

    def __sub__(self, other: Lost) -> Lost:
        return Lost(self.seconds - other.seconds, self.real - other.real)


class Outages:
    """Sums up the times in which at least one watch had no connection. Safe to use from any thread.

    Args:
        now: The cluster's clock.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._away: set[str] = set()
        self._began = Lost()
        self._past = Lost()

    def lost(self, watch: str) -> None:
        """Record that a watch lost its connection."""
        with self._lock:
            if not self._away:
                self._began = self._moment()
            self._away.add(watch)

    def found(self, watch: str) -> Lost | None:
        """Record that a watch has a connection. Return the length of the outage that this ended, if it ended one."""
        with self._lock:
            if watch not in self._away:
                return None
            self._away.remove(watch)
            if self._away:
                return None
            length = self._moment() - self._began
            self._past += length
            return length

    def total(self) -> Lost:
        """Return the length of all outages so far, the present one included."""
        with self._lock:
            return self._past + (self._moment() - self._began) if self._away else self._past

    def _moment(self) -> Lost:
        return Lost(self._now(), time.monotonic())
