"""Keeps one table of the store up to date: list, watch, resume, and list again once the resourceVersion expired."""

from __future__ import annotations

import json
import threading
import time
from typing import Any, Generic, NoReturn

import tenacity

from conformance.cluster.errors import AccessLostError, ApiError, ClusterError, InconclusiveError, UnreachableError
from conformance.cluster.store import Store, Table, V, key_of
from conformance.cluster.stream import Stream
from conformance.cluster.transport import PAGE, Transport

_GONE = 410
_MAX_PAUSE = 2.0
"""Longest pause between two attempts, in real seconds."""


class _ExpiredError(Exception):
    """The server no longer has the resourceVersion from which to resume the watch."""


class Watcher(Generic[V]):
    """A thread that keeps one table up to date until `stop` is called.

    If the API server rejects the requests, or has not answered for `limits.unreachable` real seconds, the table is
    marked as failed, and every wait ends with that error. The watcher keeps trying, and clears the failure once the API
    server answers again. After an event that cannot be parsed, the failure is permanent.
    """

    def __init__(self, transport: Transport, store: Store, table: Table[V], path: str) -> None:
        self._transport = transport
        self._store = store
        self._table = table
        self._path = path
        self._version: str | None = None
        self._stream: Stream | None = None
        self._stopped = threading.Event()
        self._last_answer = time.monotonic()
        self._thread = threading.Thread(target=self._run, name=f"watch {table.title}", daemon=True)

    def start(self) -> None:
        """Read the first list in the caller's thread, then start the watch thread.

        Raises:
            ApiError: The server refused to list the objects.
            UnreachableError: The server does not answer.
        """
        self._list()
        self._thread.start()

    def stop(self) -> None:
        """End the watch, without waiting for that."""
        self._stopped.set()
        if (stream := self._stream) is not None:
            stream.close()

    def join(self, seconds: float) -> None:
        """Wait so many real seconds at most until the watch has ended."""
        if self._thread.is_alive():
            self._thread.join(timeout=max(0.0, seconds))

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._step_with_retries()
            except ApiError as error:
                self._fail(_no_longer_watched(self._table.title, error))
            except UnreachableError as error:
                silent = time.monotonic() - self._last_answer
                self._fail(UnreachableError(f"no answer for {silent:.0f} s: {error}"))
            except Exception as error:  # noqa: BLE001 - an unreadable object must end all waits, not just this thread
                self._fail(ClusterError(f"cannot parse an event of the watch of {self._table.title}: {error!r}"))
                return

    def _fail(self, error: ClusterError) -> None:
        """Fail every wait, then pause. Later attempts matter: the server may be back before the restore."""
        if not self._stopped.is_set():
            self._store.fail(self._table, error)
        self._pause(_MAX_PAUSE)

    def _mark_alive(self) -> None:
        self._last_answer = time.monotonic()
        self._store.found(self._table)
        self._store.fail(self._table, None)

    def _step_with_retries(self) -> None:
        """List or watch once. Retry with growing pauses if the server does not answer or the version expired."""
        tenacity.Retrying(
            retry=tenacity.retry_if_exception_type((UnreachableError, _ExpiredError)),
            stop=lambda _: self._stopped.is_set() or self._unreachable_too_long(),
            wait=tenacity.wait_exponential(multiplier=0.02, max=_MAX_PAUSE),
            sleep=self._pause,
            reraise=True,
        )(self._step_or_lose)

    def _step_or_lose(self) -> None:
        try:
            self._step()
        except UnreachableError:
            self._store.lost(self._table)
            raise

    def _pause(self, seconds: float) -> None:
        self._stopped.wait(seconds)

    def _unreachable_too_long(self) -> bool:
        return time.monotonic() - self._last_answer > self._transport.limits.unreachable

    def _step(self) -> None:
        if self._stopped.is_set():
            return
        if self._version is None:
            self._list()
        else:
            self._watch(self._version)

    def _list(self) -> None:
        objects: dict[tuple[str, str], Any] = {}
        query = {"limit": PAGE}
        while True:
            page = self._transport.get(self._path, query)
            objects |= {key_of(item): item for item in page["items"]}
            token = page["metadata"].get("continue")
            if not token:
                break
            query = {"limit": PAGE, "continue": token}
        self._store.replace(self._table, objects)
        self._mark_alive()
        self._version = page["metadata"]["resourceVersion"]

    def _watch(self, version: str) -> None:
        seconds = self._transport.limits.watch
        query = {
            "watch": "1",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(max(1, round(seconds))),
        }
        try:
            self._stream = self._transport.stream(self._path, query, seconds)
        except ApiError as error:
            if not error.expired:
                raise
            self._restart_from_list()
        self._mark_alive()
        if self._stopped.is_set():
            self._stream.close()
        try:
            for line in self._stream:
                self._last_answer = time.monotonic()
                if line:
                    self._handle(json.loads(line))
        finally:
            # Until now there was a connection, even if nothing happened. What follows counts as an outage if it lasts:
            # a server that hangs accepts the next watch, and does not answer.
            self._stream = None
            self._last_answer = time.monotonic()
            self._store.lost(self._table)

    def _handle(self, event: dict[str, Any]) -> None:
        raw = event["object"]
        if event["type"] == "ERROR":
            if raw.get("code") == _GONE:
                self._restart_from_list()
            raise UnreachableError(f"the watch of {self._table.title} ended: {raw.get('message', raw)}")
        self._version = raw["metadata"]["resourceVersion"]
        if event["type"] != "BOOKMARK":
            self._store.apply(self._table, raw, deleted=event["type"] == "DELETED")

    def _restart_from_list(self) -> NoReturn:
        self._version = None
        raise _ExpiredError


def _no_longer_watched(title: str, error: ApiError) -> ClusterError:
    what = f"can no longer watch {title}"
    if isinstance(error, InconclusiveError):
        why = f"{error.message}; was the token revoked, or does the role no longer allow list and watch?"
        return AccessLostError(what, error.status, error.reason, why)
    return ClusterError(f"{what}: {error}; does the role allow list and watch?")
