"""SIGTERM as an interrupt: a Job that is deleted, or a `timeout`, must leave the cluster as it was, like Ctrl-C."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """While open, SIGTERM raises KeyboardInterrupt in the main thread; from other threads this does nothing."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(number: int, frame: object) -> None:
    del number, frame
    raise KeyboardInterrupt("SIGTERM")
