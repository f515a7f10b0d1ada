"""Tells changes that this client made from changes made by others."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class OwnWrites:
    """Records the resourceVersion of each of this client's writes. Safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._versions: set[str] = set()
        self._open = 0

    @contextmanager
    def writing(self) -> Iterator[set[str]]:
        """Mark a write as in progress. The caller adds the resulting resourceVersion to the yielded set."""
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
        """Whether a write is in progress. Its watch event may arrive before its resourceVersion is known."""
        with self._lock:
            return self._open > 0

    def owns(self, version: str) -> bool:
        """Whether one of this client's writes produced this resourceVersion."""
        with self._lock:
            return version in self._versions
