"""Tells changes that this client made from changes made by others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from conformance.cluster.transport import FIELD_MANAGER


class OwnWrites:
    """Records the resourceVersion of each of this client's writes, and the UIDs of what it deletes. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._versions: set[str] = set()
        self._deleted: set[str] = set()
        self._open = 0
        self._begun = False

    @contextmanager
    def writing(self) -> Iterator[set[str]]:
        """Mark a write as in progress. The caller adds the resulting resourceVersion to the yielded set."""
        with self._lock:
            self._open += 1
            self._begun = True
        versions: set[str] = set()
        try:
            yield versions
        finally:
            with self._lock:
                self._versions |= versions
                self._open -= 1

    @property
    def in_progress(self) -> bool:
        """Whether a write is in progress. Its watch event may arrive before its resourceVersion is known."""
        with self._lock:
            return self._open > 0

    def owns(self, version: str) -> bool:
        """Whether one of this client's writes produced this resourceVersion."""
        with self._lock:
            return version in self._versions

    def made(self, version: str, writer: str) -> bool:
        """Whether this client made a change, by the resourceVersion and the field manager of the change.

        The version of a write whose answer was lost is not known, but the name is this client's. Before its first
        write, that name is another run's.
        """
        with self._lock:
            return version in self._versions or (self._begun and writer == FIELD_MANAGER)

    def delete(self, uid: str) -> None:
        """Record that this client is about to delete the object with a UID."""
        with self._lock:
            self._deleted.add(uid)

    def not_deleted(self, uid: str) -> None:
        """Record that this client did not delete an object after all: it was gone already."""
        with self._lock:
            self._deleted.discard(uid)

    def deleted(self, uid: str) -> bool:
        """Whether this client deleted the object with a UID."""
        with self._lock:
            return uid in self._deleted
