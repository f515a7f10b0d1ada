"""The cluster's clock: simulated seconds that run `scale` times as fast as real ones, and never jump.

Simulated time moves in ticks of the event loop. A tick counts for the time it was planned to take and `LATENESS` more,
whatever the wall clock says: while the process is starved or the loop is busy, simulated time stands still. A limit of
five simulated minutes therefore measures what the components wait for, not how busy the machine is.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar, overload

T = TypeVar("T")

LONGEST_TICK: Final = 0.02
"""Real seconds between two looks at the timers when none is due earlier: the price of an idle cluster."""
LONGEST_STEP: Final = 2.5
"""Simulated seconds that a tick is planned for at most: a fast clock ticks often, so that work counts for little."""
LATENESS: Final = 0.002
"""Real seconds by which a tick may come late and still count whole."""


class Timer:
    """A callback that waits for its moment; see `Clock.call_later`."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Forget the callback; nothing happens when it has run already."""
        self._callback = None

    def fire(self) -> None:
        """Run the callback unless it was cancelled."""
        if callback := self._callback:
            self._callback = None
            callback()


class Clock:
    """Simulated time of one cluster.

    Everything but `now` and `time` belongs to the event loop that made the first timer. Time stands still until
    then, or until `start`.

    Args:
        scale: Simulated seconds per real second; 1 is real time. More than zero.

    Attributes:
        tick: Real seconds between two ticks at most.
    """

    def __init__(self, scale: float = 1.0) -> None:
        if scale <= 0:
            raise ValueError(f"the scale of a clock must be more than zero, not {scale}")
        self.scale = scale
        self.tick = min(LONGEST_TICK, LONGEST_STEP / scale)
        self._origin = datetime.now(UTC)
        self._tick_start = (0.0, 0.0, 0.0)  # real and simulated time of the last tick, longest real time it counts for
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.TimerHandle | None = None

    def now(self) -> float:
        """Return the simulated seconds since the start; any thread may ask."""
        real, simulated, longest = self._tick_start
        return simulated + min(time.monotonic() - real, longest) * self.scale

    def time(self) -> datetime:
        """Return date and time in the cluster (UTC): those of construction plus `now`; any thread may ask."""
        return self._origin + timedelta(seconds=self.now())

    def start(self) -> None:
        """Let time pass, in the running event loop; does nothing when it passes already."""
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return
        self._loop = loop
        self._plan_tick()

    def stop(self) -> None:
        """Let time stand still, and with it every timer, until the next start."""
        self._tick_start = (0.0, self.now(), 0.0)
        self._loop = None
        if self._wake is not None:
            self._wake.cancel()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Run `callback` in the event loop after `seconds`; at the next tick where they are zero or less."""
        self.start()
        timer = Timer(callback)
        heapq.heappush(self._timers, (self.now() + seconds, next(self._order), timer))
        if self._timers[0][2] is timer:
            self._plan_tick()
        return timer

    async def sleep(self, seconds: float) -> None:
        """Wait for so many simulated seconds; only yield to the loop where they are zero or less."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        elapsed = asyncio.Event()
        timer = self.call_later(seconds, elapsed.set)
        try:
            await elapsed.wait()
        finally:
            timer.cancel()

    @overload
    async def wait(self, awaited: asyncio.Event, seconds: float) -> bool: ...

    @overload
    async def wait(self, awaited: Awaitable[T], seconds: float) -> T: ...

    async def wait(self, awaited: Awaitable[T] | asyncio.Event, seconds: float) -> T | bool:
        """Return the result of `awaited` (True for an event); cancel it after so many simulated seconds.

        Raises:
            TimeoutError: It was not done in time.
        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(None) as limit:
            timer = self.call_later(seconds, lambda: limit.reschedule(loop.time()))
            try:
                return await (awaited.wait() if isinstance(awaited, asyncio.Event) else awaited)
            finally:
                timer.cancel()

    def _plan_tick(self) -> None:
        """Plan the next tick: when the first timer is due, and at the latest after `tick`."""
        if self._wake is not None:
            self._wake.cancel()
        now = self.now()
        due = (self._timers[0][0] - now) / self.scale if self._timers else self.tick
        delay = max(min(due, self.tick), 0.0)
        self._tick_start = (time.monotonic(), now, delay + LATENESS)
        self._wake = asyncio.get_running_loop().call_later(delay, self._tick)

    def _tick(self) -> None:
        """Run what is due, in the order in which it is due."""
        now = self.now()
        due = []
        while self._timers and self._timers[0][0] <= now:
            due.append(heapq.heappop(self._timers)[2])
        self._plan_tick()
        for timer in due:
            timer.fire()
