"""Waits: driven by watches, bounded by limits, with an error that explains a timeout."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from conformance.cluster.clock import ClusterClock
from conformance.cluster.errors import ClusterError, WaitTimeout
from conformance.cluster.outages import Lost
from conformance.cluster.store import Store

T = TypeVar("T")

_INTERVAL = 1.0
"""Real seconds after which progress is reported, and a condition is checked again although nothing changed."""
_TIMELINE_LINES = 12


class Progress(Protocol):
    """Callback that reports the progress of a wait: at its start and about once per real second."""

    def __call__(self, what: str, node: str | None, seconds: float) -> None:
        """Report a wait.

        Args:
            what: What is waited for.
            node: Name of the node concerned; None if the wait is not for one node.
            seconds: Time waited so far, in seconds of the cluster's clock.
        """
        ...


def silent(what: str, node: str | None, seconds: float) -> None:
    """Report nothing."""
    del what, node, seconds


@dataclass
class Deadline:
    """A deadline on the cluster's clock, with bounds in real time.

    Attributes:
        clock: The cluster's clock.
        limit: Seconds of that clock. The deadline also expires after `limit` real seconds (proportionally more if the
            clock is slower than real time): a simulated clock may stand still on a busy machine, and every wait must
            end.
        patience: Minimum real seconds before the deadline expires, at most `limit`. On a clock much faster than real
            time, the suite needs some real time to see what happened.
        outages: Returns the length of all outages of the API server so far; that time does not count.
    """

    clock: ClusterClock
    limit: float
    patience: float = 0.0
    outages: Callable[[], Lost] = Lost

    def __post_init__(self) -> None:
        now = self._real_now()
        self._started = self._now()
        self._real_start = now + min(self.patience, self.limit)
        self._real_end = now + self.limit / min(self.clock.scale, 1.0)

    @property
    def elapsed(self) -> float:
        """Seconds of the cluster's clock since the deadline was created."""
        return self._now() - self._started

    @property
    def expired(self) -> bool:
        """Whether the limit has been reached."""
        now = self._real_now()
        return (self.elapsed >= self.limit and now >= self._real_start) or now >= self._real_end

    @property
    def real_seconds_left(self) -> float:
        """Real seconds until the deadline can expire; at least 0.001, so that a wait never spins."""
        now = self._real_now()
        by_clock = max((self.limit - self.elapsed) / self.clock.scale, self._real_start - now)
        return max(min(by_clock, self._real_end - now), 0.001)

    def _now(self) -> float:
        return self.clock.now() - self.outages().seconds

    def _real_now(self) -> float:
        return time.monotonic() - self.outages().real


class Waiter:
    """Waits for conditions on one store.

    Attributes:
        progress: Callback that reports what a wait is waiting for.
        stopped: Error that every wait raises, including those in progress; None for none. Set it through `stop`.
        given_up: The same, for good. Set it through `give_up`.
        before_check: Callback that runs before each check of a condition, with the node of the wait (None if it is not
            for one node). It raises to abort the wait, for example after a foreign change or when the lease was lost.
    """

    def __init__(self, store: Store, clock: ClusterClock, patience: float) -> None:
        self._store = store
        self._clock = clock
        self._patience = patience
        self.progress: Progress = silent
        self.before_check: Callable[[str | None], None] = lambda _: None
        self.stopped: ClusterError | None = None
        self.given_up: ClusterError | None = None

    def stop(self, reason: ClusterError | None) -> None:
        """End every wait by raising `reason`. None allows waits again."""
        self.stopped = reason
        self._store.wake_all()

    def give_up(self, reason: ClusterError) -> None:
        """End every wait by raising `reason`, also every later one."""
        self.given_up = reason
        self._store.wake_all()

    def deadline(self, limit: float) -> Deadline:
        """See `Cluster.deadline`."""
        return self._deadline(limit, self._patience)

    def _deadline(self, limit: float, patience: float = 0.0) -> Deadline:
        return Deadline(self._clock, limit, patience, self._store.outages.total)

    def wait(
        self,
        condition: Callable[[], T | None],
        what: str,
        limit: float,
        *,
        node: str | None = None,
        hold: float = 0.0,
        last_seen: Callable[[], str] | None = None,
        look_at: str = "",
    ) -> T:
        """See `Cluster.wait`."""
        deadline = self.deadline(limit)
        held: list[Deadline] = []
        for _ in self._checks(deadline, what, node, held):
            if not (value := condition()):
                held.clear()
                continue
            held[:] = held or [self._deadline(hold)]
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

    def observe(
        self, condition: Callable[[], T | None], seconds: float, what: str, node: str | None = None
    ) -> T | None:
        """See `Cluster.observe`."""
        deadline = self._deadline(seconds)
        return next((value for _ in self._checks(deadline, what, node) if (value := condition())), None)

    def _checks(self, deadline: Deadline, what: str, node: str | None, held: Sequence[Deadline] = ()) -> Iterator[None]:
        """Yield at once, after every change that concerns the node, at intervals, and once after the deadline."""
        reported = 0.0
        while True:
            # Read both before the check: a change during the check must wake the wait below.
            revision, expired = self._store.revision(node), deadline.expired
            self._store.check()
            if (reason := self.given_up or self.stopped) is not None:
                raise reason
            self.before_check(node)
            if time.monotonic() - reported >= _INTERVAL:
                self.progress(what, node, deadline.elapsed)
                reported = time.monotonic()
            yield
            if expired:
                return
            until = min(limit.real_seconds_left for limit in (deadline, *held))
            self._store.wait_for_change(revision, min(_INTERVAL, until), node)
