"""Shared parts of the controllers: a work queue with retries, subscriptions to informers, and their life in a pod."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import ExitStack, asynccontextmanager
from typing import Any, Final

import aiohttp

from conformance.sim.clock import Clock
from conformance.sim.kube import Handler, Informer, KubeError
from conformance.sim.workqueue import KeyT, WorkQueue

RETRY_SECONDS: Final = 1.0
"""Cluster seconds before a reconcile that failed at the API server is retried."""

_ALPHABET: Final = "bcdfghjklmnpqrstvwxz2456789"
"""Characters of generated names: no vowels, and no characters that look like them."""
_LENGTH: Final = 10

logger = logging.getLogger(__name__)


class ReconcileQueue(WorkQueue[KeyT]):
    """A work queue that adds a key again if its reconcile fails at the API server.

    Args:
        reconcile: Reconciles the object of a key. An error of the API server or the connection adds the key again after
            `RETRY_SECONDS`; any other exception ends `run`.
        clock: Measures delays.
        reaction: Minimum real seconds between the first key and the work on it.
    """

    def __init__(self, reconcile: Callable[[KeyT], Awaitable[None]], clock: Clock, reaction: float = 0.0) -> None:
        super().__init__(self._attempt, reaction)
        self._reconcile = reconcile
        self._clock = clock

    def add_later(self, key: KeyT, seconds: float) -> None:
        """Request work on `key` after `seconds` of cluster time."""
        self._clock.call_later(seconds, lambda: self.add(key))

    async def _attempt(self, key: KeyT) -> None:
        try:
            await self._reconcile(key)
        except (KubeError, aiohttp.ClientError, TimeoutError) as error:
            logger.debug("retry %s: %r", key, error)
            self.add_later(key, RETRY_SECONDS)


@asynccontextmanager
async def subscribed(*handlers: tuple[Informer, Handler]) -> AsyncIterator[None]:
    """Wait until all informers are synced; call the handlers for existing objects and changes until the block ends."""
    await asyncio.gather(*(informer.synced.wait() for informer, _ in handlers))
    with ExitStack() as subscriptions:
        for informer, handler in handlers:
            subscriptions.callback(informer.on_change(handler))
        yield


def template_hash(workload: Mapping[str, Any]) -> str:
    """Return a hash of the pod template of a workload in the alphabet that Kubernetes uses."""
    template = json.dumps(workload["spec"]["template"], sort_keys=True).encode()
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in hashlib.sha256(template).digest()[:_LENGTH])


async def either(*events: asyncio.Event) -> None:
    """Wait until one of the events is set."""
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def until_stopped(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> int:
    """Run a controller as the program of a container: until SIGTERM, and without a trace of it afterwards.

    Returns:
        0 after SIGTERM.

    Raises:
        Exception: What ended the controller; the container has crashed.
    """
    running, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if running.done():
            running.result()
    finally:
        running.cancel()
        stopping.cancel()
        await asyncio.gather(running, stopping, return_exceptions=True)
    return 0
