"""Informers: local copies of objects that follow the server with list and watch."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import AbstractAsyncContextManager
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final, Protocol

import aiohttp
import orjson

from conformance.sim.backoff import BackOff
from conformance.sim.kube.errors import KubeError
from conformance.sim.kube.resources import Key, Object, ObjectList, Resource, key_of
from conformance.sim.tasks import Tasks

logger = logging.getLogger(__name__)

WATCH_SECONDS: Final = 300
"""Real seconds after which the server ends a watch, so that a dead connection is noticed."""
FIRST_RETRY: Final = 0.05
LAST_RETRY: Final = 5.0
"""Real seconds before the first retry of a watch that ended early, and the limit as they double."""
SOON: Final = 1.0
"""Real seconds that a watch must last to reset the back-off."""


class Event(StrEnum):
    """Type of a watch event."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"


Handler = Callable[[Event, Object | None, Object], None]
"""Called with the event, the former object (None if it is new to the cache) and the current one; after a deletion, the
latter is the last known object."""


class Source(Protocol):
    """Source of an informer; `Kube` implements it."""

    async def list(
        self, resource: Resource, namespace: str | None, label_selector: str | None, field_selector: str | None
    ) -> ObjectList:
        """List all objects of a scope."""

    def open_watch(
        self, resource: Resource, namespace: str | None, query: dict[str, str]
    ) -> AbstractAsyncContextManager[aiohttp.StreamReader]:
        """Open a watch: a stream with one event per line."""


class Informer:
    """Objects of one kind and scope, kept up to date. Created by `Kube.informer`.

    Objects come without `managedFields`: no component reads them, and they take much memory on a large cluster.

    Attributes:
        synced: Set as soon as the cache contains the first list.
    """

    def __init__(
        self,
        source: Source,
        resource: Resource,
        namespace: str | None = None,
        label_selector: str | None = None,
        field_selector: str | None = None,
    ) -> None:
        self.synced = asyncio.Event()
        self._source = source
        self._resource = resource
        self._namespace = namespace
        self._label_selector = label_selector
        self._field_selector = field_selector
        self._cache: dict[Key, Object] = {}
        self._handlers: list[Handler] = []
        self._handlers_of_one: dict[Key, list[Handler]] = {}
        self._indexes: dict[Callable[[Object], str], dict[str, dict[Key, Object]]] = {}
        self._version = ""
        self._tasks = Tasks()

    @property
    def cache(self) -> Mapping[Key, Object]:
        """All objects by namespace and name, as of the last event."""
        return MappingProxyType(self._cache)

    def get(self, name: str, namespace: str = "") -> Object | None:
        """Return an object of the cache; None if there is none."""
        return self._cache.get((namespace, name))

    def select(self, by: Callable[[Object], str], value: str) -> Collection[Object]:
        """Return the objects for which `by` returns `value`, from an index.

        Args:
            by: A function at module level; its index is kept from the first use on.
            value: The value to look up.
        """
        if by not in self._indexes:
            self._indexes[by] = defaultdict(dict)
            for key, item in self._cache.items():
                self._indexes[by][by(item)][key] = item
        return self._indexes[by].get(value, {}).values()

    def on_change(self, handler: Handler) -> Callable[[], None]:
        """Call `handler` for every existing object, as ADDED, and for every later change.

        Handlers run in the event loop, one after the other; they must not block or raise.

        Returns:
            A function that unsubscribes the handler.
        """
        self._handlers.append(handler)
        for item in list(self._cache.values()):
            handler(Event.ADDED, None, item)

        def unsubscribe() -> None:
            if handler in self._handlers:
                self._handlers.remove(handler)

        return unsubscribe

    def on_change_of(self, name: str, handler: Handler, namespace: str = "") -> Callable[[], None]:
        """Call `handler` as `on_change` does, but only for one object."""
        key = (namespace, name)
        self._handlers_of_one.setdefault(key, []).append(handler)
        if key in self._cache:
            handler(Event.ADDED, None, self._cache[key])

        def unsubscribe() -> None:
            handlers = self._handlers_of_one.get(key, [])
            if handler in handlers:
                handlers.remove(handler)
            if not handlers:
                self._handlers_of_one.pop(key, None)

        return unsubscribe

    def start(self) -> None:
        """Start to follow the server."""
        self._tasks.spawn(self._follow(), f"informer {self._resource.plural}")

    async def stop(self) -> None:
        """Stop; the cache is kept."""
        await self._tasks.stop()

    async def _follow(self) -> None:
        loop, back_off = asyncio.get_running_loop(), BackOff(FIRST_RETRY, LAST_RETRY)
        while True:
            began = loop.time()
            try:
                if not self._version:
                    await self._list()
                await self._watch()
            except KubeError as error:
                if error.expired:
                    self._version = ""
                logger.debug("%s: %s", self._resource.plural, error)
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                logger.debug("%s: %r", self._resource.plural, error)
            if loop.time() - began > SOON:
                back_off.reset()
            await asyncio.sleep(back_off.lengthen())

    async def _list(self) -> None:
        """Bring the cache up to date with a list; differences become events."""
        listed = await self._source.list(self._resource, self._namespace, self._label_selector, self._field_selector)
        present = {key_of(item): item for item in listed.items}
        for key in [key for key in self._cache if key not in present]:
            self._apply(Event.DELETED, self._cache[key])
        for item in present.values():
            known = self._cache.get(key_of(item))
            if known is None or known["metadata"]["resourceVersion"] != item["metadata"]["resourceVersion"]:
                self._apply(Event.ADDED if known is None else Event.MODIFIED, item)
        self._version = listed.resource_version
        self.synced.set()

    async def _watch(self) -> None:
        query = {
            "resourceVersion": self._version,
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
        }
        if self._label_selector:
            query["labelSelector"] = self._label_selector
        if self._field_selector:
            query["fieldSelector"] = self._field_selector
        async with self._source.open_watch(self._resource, self._namespace, query) as stream:
            async for event in _events(stream):
                self._handle(event["type"], event["object"])

    def _handle(self, kind: str, item: Object) -> None:
        if kind == "ERROR":
            raise KubeError(item.get("code") or 0, item.get("reason") or "", item.get("message") or "")
        self._version = item["metadata"]["resourceVersion"]
        if kind != "BOOKMARK":
            self._apply(Event(kind), item)

    def _apply(self, event: Event, item: Object) -> None:
        key = key_of(item)
        former = self._cache.get(key)
        if event is Event.DELETED:
            if former is None:
                return
            del self._cache[key]
        else:
            event = Event.ADDED if former is None else Event.MODIFIED
            item["metadata"].pop("managedFields", None)
            self._cache[key] = item
        for by, index in self._indexes.items():
            _reindex(index, by, key, former, None if event is Event.DELETED else item)
        for handler in (*self._handlers, *self._handlers_of_one.get(key, ())):
            handler(event, former, item)


def _reindex(
    index: dict[str, dict[Key, Object]],
    by: Callable[[Object], str],
    key: Key,
    former: Object | None,
    present: Object | None,
) -> None:
    """Update one index after a change; an object whose value is unchanged keeps its position."""
    if former is not None and (present is None or by(former) != by(present)):
        del index[by(former)][key]
        if not index[by(former)]:
            del index[by(former)]
    if present is not None:
        index[by(present)][key] = present


async def _events(stream: aiohttp.StreamReader) -> AsyncIterator[dict[str, Any]]:
    """Parse a stream line by line; lines may be longer than the limit of the stream reader."""
    rest = b""
    async for chunk in stream.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield orjson.loads(line)
