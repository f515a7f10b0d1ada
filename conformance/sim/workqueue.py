"""The loop that every controller of the simulator runs: keys in, one at a time, each as often as it has to be."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable
from typing import Final, Generic, TypeVar

import aiohttp

from conformance.sim.clock import Clock
from conformance.sim.kube import KubeError

KeyT = TypeVar("KeyT", bound=Hashable)

RETRY_SECONDS: Final = 1.0
"""Cluster seconds after which a key comes back whose work the API server refused."""

logger = logging.getLogger(__name__)


class WorkQueue(Generic[KeyT]):
    """Keys that wait for work. Added while it waits, a key waits once; added while it is worked on, it comes back.

    Args:
        work: What to do for a key. An error of the API server brings the key back later; others end the loop.
        clock: Measures delays.
        reaction: Real seconds from the first key that comes to the work on it, at least.
    """

    def __init__(self, work: Callable[[KeyT], Awaitable[None]], clock: Clock, reaction: float = 0.0) -> None:
        self._reaction = reaction
        self._work = work
        self._clock = clock
        self._waiting: dict[KeyT, None] = {}
        self._added = asyncio.Event()

    def add(self, key: KeyT) -> None:
        """Ask for work on `key`, as soon as its turn comes."""
        self._waiting[key] = None
        self._added.set()

    def add_later(self, key: KeyT, seconds: float) -> None:
        """Ask for work on `key` after so many cluster seconds."""
        self._clock.call_later(seconds, lambda: self.add(key))

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._added.wait()
            self._added.clear()
            await asyncio.sleep(self._reaction)
            while self._waiting:
                key = next(iter(self._waiting))
                del self._waiting[key]
                await self._work_on(key)

    async def _work_on(self, key: KeyT) -> None:
        try:
            await self._work(key)
        except (KubeError, aiohttp.ClientError, TimeoutError) as error:
            logger.debug("%s comes back: %r", key, error)
            self.add_later(key, RETRY_SECONDS)
