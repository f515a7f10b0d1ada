"""Which changes of the cluster this client made itself."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class OwnWrites:
    """Knows this client's own writes by the resourceVersion that each of them got. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._versions: set[str] = set()
        self._open = 0

    @contextmanager
    def writing(self) -> Iterator[set[str]]:
        """Open while a write is under way; put the resourceVersion that it got into the set."""
        with self._lock:
            self._open += 1
        versions: set[str] = set()
        try:
            yield versions
        finally:
            with self._lock:
                self._versions |= versions
                self._open -= 1

    @property
    def in_progress(self) -> bool:
        """Whether a write is under way: its event may arrive before its resourceVersion is known."""
        with self._lock:
            return self._open > 0

    def owns(self, version: str) -> bool:
        """Whether one of this client's writes gave an object this resourceVersion."""
        with self._lock:
            return version in self._versions
