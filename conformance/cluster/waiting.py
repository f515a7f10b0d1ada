"""Waits: driven by the watch, bounded by a limit, explained when they end in vain."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from conformance.cluster.clock import ClusterClock
from conformance.cluster.errors import ClusterError, WaitTimeout
from conformance.cluster.store import Store

T = TypeVar("T")

_RECHECK_INTERVAL = 0.25
"""Real seconds after which a wait looks again although nothing changed: what it waits for may lie in the clock."""
_PROGRESS_INTERVAL = 1.0
"""Real seconds between two reports of progress."""
_TIMELINE_LINES = 12


class Progress(Protocol):
    """Called at the start of a wait and about once a real second: what is waited for, where, for how long so far."""

    def __call__(self, what: str, node: str | None, seconds: float) -> None:
        """`seconds` of the cluster's clock; `node` is None where the wait is not for one node."""
        ...


def silent(what: str, node: str | None, seconds: float) -> None:
    """Say nothing."""
    del what, node, seconds


@dataclass
class Deadline:
    """A limit in seconds of the cluster's clock.

    Attributes:
        clock: The cluster's clock.
        limit: Seconds of that clock. It is over too after as many real seconds (more where the clock is slower than
            real time): a simulated clock may stand still on a busy machine, and a wait must stay finite.
        patience: Real seconds before which it is not over: on a clock much faster than real time the suite itself
            needs a while to see what happened. Never more than `limit`.
    """

    clock: ClusterClock
    limit: float
    patience: float = 0.0

    def __post_init__(self) -> None:
        now = time.monotonic()
        self._started = self.clock.now()
        self._real_start = now + min(self.patience, self.limit)
        self._real_end = now + self.limit / min(self.clock.scale, 1.0)

    @property
    def elapsed(self) -> float:
        """Seconds of the cluster's clock since the start."""
        return self.clock.now() - self._started

    @property
    def expired(self) -> bool:
        """The limit is reached."""
        now = time.monotonic()
        return (self.elapsed >= self.limit and now >= self._real_start) or now >= self._real_end

    @property
    def real_seconds_left(self) -> float:
        """Real seconds until it may be over; never below a millisecond."""
        now = time.monotonic()
        by_clock = max((self.limit - self.elapsed) / self.clock.scale, self._real_start - now)
        return max(min(by_clock, self._real_end - now), 0.001)


class Waiter:
    """Waits on one store.

    Attributes:
        progress: Told what is being waited for.
        stopped: Raised by every wait at once, those under way too; None while waits go on. Set through `stop`.
        before_check: Called before each look; raises when the run must not go on (a foreign change, a lost lease).
    """

    def __init__(self, store: Store, clock: ClusterClock, patience: float) -> None:
        self._store = store
        self._clock = clock
        self._patience = patience
        self.progress: Progress = silent
        self.before_check: Callable[[], None] = lambda: None
        self.stopped: ClusterError | None = None

    def stop(self, reason: ClusterError | None) -> None:
        """End every wait with an error; None lets waits go on again."""
        self.stopped = reason
        self._store.wake_all()

    def wait(
        self,
        look: Callable[[], T | None],
        what: str,
        limit: float,
        *,
        node: str | None = None,
        hold: float = 0.0,
        last_seen: Callable[[], str] | None = None,
        look_at: str = "",
    ) -> T:
        """See `Cluster.wait`."""
        deadline = Deadline(self._clock, limit, self._patience)
        held: list[Deadline] = []
        for _ in self._checks(deadline, what, node, held):
            if not (value := look()):
                held.clear()
                continue
            held[:] = held or [Deadline(self._clock, hold)]
            if held[0].expired:
                return value
        raise WaitTimeout(
            what,
            node=node,
            seconds=deadline.elapsed,
            last_seen=last_seen() if last_seen else "",
            look_at=look_at,
            timeline=self._store.timeline.render(node=node, last=_TIMELINE_LINES) if node else (),
        )

    def observe(self, look: Callable[[], T | None], seconds: float, what: str, node: str | None = None) -> T | None:
        """See `Cluster.observe`."""
        deadline = Deadline(self._clock, seconds)
        return next((value for _ in self._checks(deadline, what, node) if (value := look())), None)

    def _checks(self, deadline: Deadline, what: str, node: str | None, held: Sequence[Deadline] = ()) -> Iterator[None]:
        """Yield at once, after every change that concerns the node, and a last time when the deadline is over."""
        told = 0.0
        while True:
            revision, over = self._store.revision(node), deadline.expired
            self._store.check()
            if self.stopped is not None:
                raise self.stopped
            self.before_check()
            if time.monotonic() - told >= _PROGRESS_INTERVAL:
                self.progress(what, node, deadline.elapsed)
                told = time.monotonic()
            yield
            if over:
                return
            until = min(limit.real_seconds_left for limit in (deadline, *held))
            self._store.wait_for_change(revision, min(_RECHECK_INTERVAL, until), node)
