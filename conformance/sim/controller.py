"""What the controllers that are clients of the API server share: informers in, a queue that retries, reconciles out."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import ExitStack, asynccontextmanager
from typing import Final

import aiohttp

from conformance.sim.clock import Clock
from conformance.sim.kube import Handler, Informer, KubeError
from conformance.sim.workqueue import KeyT, WorkQueue

RETRY_SECONDS: Final = 1.0
"""Cluster seconds after which a key comes back whose reconcile failed at the API server."""

logger = logging.getLogger(__name__)


class ReconcileQueue(WorkQueue[KeyT]):
    """A work queue that adds a key again when its reconcile fails at the API server.

    Args:
        reconcile: Brings what the key names to its desired state. An error of the API server or of the connection
            brings the key back after `RETRY_SECONDS`; any other exception ends `run`.
        clock: Measures delays.
        reaction: Real seconds, at least, between the first key that arrives and the work on it.
    """

    def __init__(self, reconcile: Callable[[KeyT], Awaitable[None]], clock: Clock, reaction: float = 0.0) -> None:
        super().__init__(self._attempt, reaction)
        self._reconcile = reconcile
        self._clock = clock

    def add_later(self, key: KeyT, seconds: float) -> None:
        """Request work on `key` after so many cluster seconds."""
        self._clock.call_later(seconds, lambda: self.add(key))

    async def _attempt(self, key: KeyT) -> None:
        try:
            await self._reconcile(key)
        except (KubeError, aiohttp.ClientError, TimeoutError) as error:
            logger.debug("%s comes back: %r", key, error)
            self.add_later(key, RETRY_SECONDS)


@asynccontextmanager
async def subscribed(*handlers: tuple[Informer, Handler]) -> AsyncIterator[None]:
    """Wait until all informers are synced, then call the handlers for every object and change until the block ends."""
    await asyncio.gather(*(informer.synced.wait() for informer, _ in handlers))
    with ExitStack() as subscriptions:
        for informer, handler in handlers:
            subscriptions.callback(informer.on_change(handler))
        yield
