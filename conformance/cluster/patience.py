"""How long requests are sent again while the API server does not answer, and how that ends early."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tenacity import RetryCallState

from conformance.cluster.errors import UnreachableError


class Patience:
    """The patience of one client with its API server. Safe to use from any thread.

    All requests share it: after an outage that lasted too long, the next request is sent once, and does not wait for
    the same server all over again.

    Args:
        seconds: Real seconds for which a server may be silent.
        last: Real seconds that requests in flight still have when the patience ends.
    """

    def __init__(self, seconds: float, last: float) -> None:
        self._seconds = seconds
        self._last = last
        self._silent_since: float | None = None
        self._mute = False
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._closing: set[Callable[[], None]] = set()
        self._in_flight: set[Callable[[], None]] = set()

    @property
    def ended(self) -> bool:
        """Whether the user does not want to wait any more."""
        return self._ended.is_set()

    def end(self) -> None:
        """Send no request again from now on, and none at all after one that a server did not answer. Ends streams.

        Requests in flight are cut off if they have no answer soon.
        """
        self._ended.set()
        with self._lock:
            closing, late = set(self._closing), set(self._in_flight)
        for close in closing:
            close()
        cutting = threading.Timer(self._last, self._cut, [late])
        cutting.daemon = True
        cutting.start()

    @contextmanager
    def cutting(self, cut: Callable[[], None]) -> Iterator[None]:
        """Call `cut` if the patience ends during the block, which then still lasts for too long."""
        with self._lock:
            self._in_flight.add(cut)
        try:
            yield
        finally:
            with self._lock:
                self._in_flight.discard(cut)

    def _cut(self, late: set[Callable[[], None]]) -> None:
        """Cut off those of the requests that are still in flight."""
        with self._lock:  # none of them ends meanwhile, and its connection serves no other one
            for cut in late & self._in_flight:
                cut()

    @contextmanager
    def ending(self, close: Callable[[], None]) -> Iterator[None]:
        """Call `close` if the patience ends during the block; it must be safe to call from another thread."""
        with self._lock:
            self._closing.add(close)
        try:
            if self.ended:
                close()
            yield
        finally:
            with self._lock:
                self._closing.discard(close)

    def answered(self) -> None:
        """Note that the server answered."""
        self._silent_since, self._mute = None, False

    def unanswered(self, *, busy: bool) -> None:
        """Note that the server did not answer a request, or that it is `busy`: it answered that it cannot."""
        self._silent_since, self._mute = self._silent_since or time.monotonic(), not busy

    def refuse(self) -> None:
        """Raise an error instead of a request that would only keep a user waiting who interrupted the run twice.

        Raises:
            UnreachableError: The server did not answer the last request, and the patience has ended.
        """
        if self.ended and self._mute:
            raise UnreachableError("the API server does not answer, and the run was interrupted", unprocessed=True)

    def is_over(self, state: RetryCallState) -> bool:
        """Whether a request must not be sent again."""
        since = self._silent_since
        silent = 0.0 if since is None else time.monotonic() - since
        return self.ended or max(silent, state.seconds_since_start or 0.0) >= self._seconds

    def pause(self, seconds: float) -> None:
        """Wait before a request is sent again; the end of the patience ends the pause."""
        self._ended.wait(seconds)
