"""The loop of a controller: things to look at are queued, each once, and looked at one after the other."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

_LOG = logging.getLogger(__name__)
T = TypeVar("T", bound=Hashable)


class WorkQueue(Generic[T]):
    """A queue in which nothing stands twice.

    Args:
        handle: Called with each item; what it raises is logged and does not stop the queue.
    """

    def __init__(self, handle: Callable[[T], None]) -> None:
        self._handle = handle
        self._items: dict[T, None] = {}
        self._wake = asyncio.Event()

    def add(self, item: T) -> None:
        """Queue an item, unless it is waiting already."""
        self._items[item] = None
        self._wake.set()

    async def run(self) -> None:
        """Handle items until cancelled, giving way to others after each."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._items:
                item = next(iter(self._items))
                del self._items[item]
                try:
                    self._handle(item)
                except Exception:  # noqa: BLE001 - one item that cannot be handled must not stop the controller
                    _LOG.exception("could not handle %s", item)
                await asyncio.sleep(0)
