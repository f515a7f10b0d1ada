"""Watches: the changes of a collection, from a given revision on, as one client sees them.

Source: k8s.io/apiserver pkg/storage/cacher v0.36 and the Kubernetes API concepts page (sections "Efficient detection of
changes", "Watch bookmarks" and "Streaming lists").
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path

from conformance.sim.apiserver.errors import ApiError, expired, too_large_revision
from conformance.sim.apiserver.objects import Event, EventType, Record, replaced
from conformance.sim.apiserver.storage.listing import Query, forbidden_option, revision_number
from conformance.sim.apiserver.storage.store import Collection, Store

Change = tuple[EventType, Record]
_MOST_PENDING = 100_000
_LAST_BOOKMARK_SECONDS = 2.0


@dataclass(frozen=True)
class Settings:
    """Settings of a server. The defaults are those of a real one, except for the bounded history.

    Attributes:
        history: Number of changes kept for each resource; a watch that resumes from an older revision gets 410.
        shortest_watch_seconds: A watch without `timeoutSeconds` lasts between this and twice this, in real seconds.
        longest_watch_seconds: Upper limit for every watch, in real seconds. Small values make clients resume often.
        bookmark_seconds: Interval between the bookmarks of a watch, in real seconds.
        audit_log: File to which a line of JSON is added for every request; None for no log.
    """

    history: int = 2000
    shortest_watch_seconds: float = 1800
    longest_watch_seconds: float = float("inf")
    bookmark_seconds: float = 60
    audit_log: Path | None = None


@dataclass(frozen=True)
class WatchOptions:
    """Options of one watch.

    Attributes:
        seconds: How long it lasts, in real seconds.
        bookmark_seconds: Interval between bookmarks, in real seconds; None for no bookmarks.
        initial_events: `sendInitialEvents`; None if the request does not set it.
    """

    seconds: float
    bookmark_seconds: float | None = None
    initial_events: bool | None = None


@dataclass(frozen=True)
class Bookmark:
    """A revision up to which the client has seen everything.

    Attributes:
        revision: That revision.
        ends_initial: Whether it ends the initial events of a streaming list.
    """

    revision: int
    ends_initial: bool = False


Item = Change | Bookmark | ApiError


class Watch:
    """The watch of one client. It collects changes from its construction until `close`.

    Args:
        store: Provides the current revision.
        collection: The resource to watch.
        query: Which objects to watch.
        options: How to serve the watch.

    Raises:
        ApiError: 400, 422 or 504 for a request that cannot be served.
    """

    def __init__(self, store: Store, collection: Collection, query: Query, options: WatchOptions) -> None:
        self._store = store
        self._query = query
        self._seen_up_to = revision_number(query.revision)
        self._options = options
        self._pending: deque[Item] = deque()
        self._wake = asyncio.Event()
        self._ended = False
        self._begin(collection)
        self._stop_listening = collection.listen(self._take)

    async def batches(self) -> AsyncIterator[list[Item]]:
        """Yield pending items in batches until the watch ends."""
        loop = asyncio.get_running_loop()
        end = loop.time() + self._options.seconds
        bookmark = self._bookmark_after(loop.time(), end)
        while not self._ended:
            batch = list(self._pending)
            self._pending.clear()
            now = loop.time()
            if now >= bookmark:
                batch.append(Bookmark(self._store.revision))
                bookmark = self._bookmark_after(now, end)
            if batch:
                yield batch
            if now >= end or (batch and isinstance(batch[-1], ApiError)):
                return
            if not self._pending:
                await self._woken(min(end, bookmark) - loop.time())

    def close(self) -> None:
        """End the watch."""
        if not self._ended:
            self._ended = True
            self._stop_listening()
            self._wake.set()

    async def _woken(self, seconds: float) -> None:
        """Wait until something is pending, at most for `seconds`."""
        self._wake.clear()
        timer = asyncio.get_running_loop().call_later(max(seconds, 0), self._wake.set)
        try:
            await self._wake.wait()
        finally:
            timer.cancel()

    def _bookmark_after(self, now: float, end: float) -> float:
        """Return when the next bookmark is due: after its period, shortly before the end, and at the end."""
        if self._options.bookmark_seconds is None:
            return float("inf")
        due = [now + self._options.bookmark_seconds, end - _LAST_BOOKMARK_SECONDS, end]
        return min((moment for moment in due if moment > now), default=float("inf"))

    def _begin(self, collection: Collection) -> None:
        """Queue what the client has to see first: the current objects, or the changes since its revision."""
        query, options, current = self._query, self._options, self._store.revision
        revision = self._seen_up_to
        _check_initial_events(query, options)
        if options.initial_events and revision > current:
            raise too_large_revision(revision, current)
        if options.initial_events or (options.initial_events is None and not revision):
            records = collection.records(query.namespace)
            self._pending.extend(("ADDED", record) for record in records if query.takes(record.data))
            if options.initial_events and options.bookmark_seconds is not None:
                self._pending.append(Bookmark(current, ends_initial=True))
        elif revision and revision < collection.floor:
            self._pending.append(expired(f"too old resource version: {revision} ({collection.floor})"))
        elif revision:
            self._pending.extend(filter(None, map(self._seen, collection.since(revision))))

    def _take(self, event: Event) -> None:
        change = self._seen(event) if event.revision > self._seen_up_to else None
        if change is None:
            return
        self._pending.append(change)
        self._wake.set()
        if len(self._pending) > _MOST_PENDING:
            self.close()

    def _seen(self, event: Event) -> Change | None:
        """Return a change as this client sees it: objects that start or stop to match are added or deleted."""
        before = event.previous is not None and self._query.takes(event.previous.data)
        if event.type == "DELETED":
            return ("DELETED", event.record) if before else None
        after = self._query.takes(event.record.data)
        if after:
            return ("MODIFIED" if before else "ADDED", event.record)
        if before and event.previous is not None:
            last = replaced(event.previous.data, str(event.revision), "metadata", "resourceVersion")
            return ("DELETED", Record(last, event.revision))
        return None


def _check_initial_events(query: Query, options: WatchOptions) -> None:
    """Reject invalid combinations of options."""
    if options.initial_events is None:
        if query.match:
            detail = "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"
            raise forbidden_option("resourceVersionMatch", detail)
    elif query.match != "NotOlderThan":
        detail = "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        raise forbidden_option("resourceVersionMatch", detail)


class Watches:
    """All open watches, so that the server can end them when it stops."""

    def __init__(self) -> None:
        self._open: set[Watch] = set()

    def opened(self, watch: Watch) -> Callable[[], None]:
        """Register a watch. Return a function that closes it."""
        self._open.add(watch)

        def close() -> None:
            self._open.discard(watch)
            watch.close()

        return close

    def close(self) -> None:
        """End all watches."""
        for watch in tuple(self._open):
            watch.close()
        self._open.clear()
