"""The cluster's clock: simulated time that runs `scale` times as fast as real time and never jumps.

Simulated time advances in ticks of the event loop. A tick advances it by at most its planned duration plus `LATENESS`,
even if it comes later: while the process gets no CPU or the loop is busy, simulated time stands still. A limit of five
simulated minutes therefore measures how long components wait, not how busy the host is.
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
"""Maximum real seconds between two ticks; it determines the CPU time of an idle cluster."""
LONGEST_STEP: Final = 2.5
"""Maximum simulated seconds per tick: a fast clock ticks more often, so that work delays it little."""
LATENESS: Final = 0.002
"""Real seconds by which a tick may be late without losing simulated time."""


class Timer:
    """A scheduled callback; see `Clock.call_later`."""

    def __init__(self, callback: Callable[[], None]) -> None:
        self._callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Cancel the callback; has no effect if it has already run."""
        self._callback = None

    def fire(self) -> None:
        """Run the callback unless it was cancelled."""
        if callback := self._callback:
            self._callback = None
            callback()


class Clock:
    """Simulated time of one cluster.

    `now` and `time` may be called from any thread, everything else only in the event loop that started the clock.
    The clock starts with `start` or with the first timer.

    Args:
        scale: Simulated seconds per real second, more than zero; 1 is real time.

    Attributes:
        tick: Maximum real seconds between two ticks.
    """

    def __init__(self, scale: float = 1.0) -> None:
        if scale <= 0:
            raise ValueError(f"the scale of a clock must be more than zero, not {scale}")
        self.scale = scale
        self.tick = min(LONGEST_TICK, LONGEST_STEP / scale)
        self._origin = datetime.now(UTC)
        self._tick_start = (0.0, 0.0, 0.0)  # real and simulated time of the last tick, real limit until the next
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake: asyncio.TimerHandle | None = None

    def now(self) -> float:
        """Return the simulated seconds since the start."""
        real, simulated, longest = self._tick_start
        return simulated + min(time.monotonic() - real, longest) * self.scale

    def time(self) -> datetime:
        """Return the cluster's date and time (UTC): the real time of construction plus `now`."""
        return self._origin + timedelta(seconds=self.now())

    def start(self) -> None:
        """Start the clock in the running event loop; has no effect if it is already running there."""
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return
        self._loop = loop
        self._plan_tick()

    def stop(self) -> None:
        """Stop the clock and all timers until the next start."""
        self._tick_start = (0.0, self.now(), 0.0)
        self._loop = None
        if self._wake is not None:
            self._wake.cancel()

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Run `callback` in the event loop after `seconds`; at the next tick if they are not positive."""
        self.start()
        timer = Timer(callback)
        heapq.heappush(self._timers, (self.now() + seconds, next(self._order), timer))
        if self._timers[0][2] is timer:
            self._plan_tick()
        return timer

    async def sleep(self, seconds: float) -> None:
        """Wait for simulated seconds; only yield to the event loop if they are not positive."""
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
        """Return the result of `awaited` (True for an event); cancel it after `seconds` of simulated time.

        Raises:
            TimeoutError: It did not finish in time.
        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(None) as limit:
            timer = self.call_later(seconds, lambda: limit.reschedule(loop.time()))
            try:
                return await (awaited.wait() if isinstance(awaited, asyncio.Event) else awaited)
            finally:
                timer.cancel()

    def _plan_tick(self) -> None:
        """Schedule the next tick for the first timer, but at the latest after `tick`."""
        if self._wake is not None:
            self._wake.cancel()
        now = self.now()
        due = (self._timers[0][0] - now) / self.scale if self._timers else self.tick
        delay = max(min(due, self.tick), 0.0)
        self._tick_start = (time.monotonic(), now, delay + LATENESS)
        self._wake = asyncio.get_running_loop().call_later(delay, self._tick)

    def _tick(self) -> None:
        """Run the callbacks that are due, in order of their time."""
        now = self.now()
        due = []
        while self._timers and self._timers[0][0] <= now:
            due.append(heapq.heappop(self._timers)[2])
        self._plan_tick()
        for timer in due:
            timer.fire()
