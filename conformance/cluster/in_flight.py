"""Requests in flight, each with its connection, so that another thread can cut them off."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

_here = threading.local()
"""The attempt of each thread: it waits for one answer at a time."""


class Attempt:
    """One request in flight.

    Attributes:
        connection: What it is sent on; None before that.
    """

    def __init__(self) -> None:
        self.connection: HTTPConnection | None = None

    def cut(self) -> None:
        """End the request with an error, from any thread; does nothing if it has no connection yet."""
        sock = getattr(self.connection, "sock", None)
        if sock is not None:
            with suppress(OSError):  # it is closed already
                socket.socket.shutdown(sock, socket.SHUT_RDWR)  # not the method of TLS, whose state a reader uses


@contextmanager
def attempted() -> Iterator[Attempt]:
    """Give the request that this thread sends during the block, through a pool manager given to `follow`."""
    _here.attempt = attempt = Attempt()
    try:
        yield attempt
    finally:
        _here.attempt = None


def follow(manager: urllib3.PoolManager) -> None:
    """Make the connections of a pool manager known to attempts. Call this before its first request."""
    manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SecurePool}


def _note(connection: HTTPConnection) -> None:
    if (attempt := getattr(_here, "attempt", None)) is not None:
        attempt.connection = connection


class _Plain(HTTPConnection):
    def connect(self) -> None:
        _note(self)
        super().connect()

    def request(self, *args: Any, **options: Any) -> None:
        _note(self)
        super().request(*args, **options)


class _Secure(_Plain, HTTPSConnection):
    pass


class _PlainPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _Plain


class _SecurePool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _Secure
