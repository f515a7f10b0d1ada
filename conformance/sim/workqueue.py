"""The work queue of the controllers: it works on one key at a time and holds each key at most once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)


class WorkQueue(Generic[KeyT]):
    """Keys that wait for work. A key that is added twice is worked on once; one added during its work is queued again.

    Args:
        work: Works on one key. An exception ends `run`.
        reaction: Minimum real seconds between the first key and the work on it.
    """

    def __init__(self, work: Callable[[KeyT], Awaitable[None]], reaction: float = 0.0) -> None:
        self._work = work
        self._reaction = reaction
        self._waiting: dict[KeyT, None] = {}
        self._added = asyncio.Event()

    def add(self, key: KeyT) -> None:
        """Request work on `key`."""
        self._waiting[key] = None
        self._added.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._added.wait()
            self._added.clear()
            await asyncio.sleep(self._reaction)
            while self._waiting:
                key = next(iter(self._waiting))
                del self._waiting[key]
                await self._work(key)
