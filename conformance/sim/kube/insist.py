"""Requests that are retried until the server has handled them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, TypeVar

import aiohttp

from conformance.sim.kube.errors import KubeError

T = TypeVar("T")

FIRST_RETRY: Final = 0.1
LAST_RETRY: Final = 5.0
"""Real seconds before the first retry, and the limit as they double."""


async def insist(request: Callable[[], Awaitable[T]]) -> T:
    """Retry a request until the server has handled it: despite connection errors, 5xx answers and 429.

    Raises:
        KubeError: The server rejected it (a 4xx answer other than 429).
    """
    retry = FIRST_RETRY
    while True:
        try:
            return await request()
        except (KubeError, aiohttp.ClientError, TimeoutError, OSError) as error:
            if isinstance(error, KubeError) and not _passing(error):
                raise
        await asyncio.sleep(retry)
        retry = min(retry * 2, LAST_RETRY)


async def insist_unless_gone(request: Callable[[], Awaitable[T]]) -> T | None:
    """As `insist`, but return None if the object is gone or has been replaced (404, 409)."""
    try:
        return await insist(request)
    except KubeError as error:
        if error.not_found or error.conflict:
            return None
        raise


def _passing(error: KubeError) -> bool:
    return error.status >= HTTPStatus.INTERNAL_SERVER_ERROR or error.status == HTTPStatus.TOO_MANY_REQUESTS
