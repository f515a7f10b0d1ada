"""Requests that have to reach the server, whatever happens to the connection meanwhile."""

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
"""Real seconds before the first and, doubling, any later attempt."""


async def insist(request: Callable[[], Awaitable[T]]) -> T:
    """Repeat a request until the server gives an answer that is about the request itself.

    Raises:
        KubeError: The server refused it (a 4xx answer other than 429).
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
    """As `insist`, but return None where the object is gone or is another one by now (404, 409)."""
    try:
        return await insist(request)
    except KubeError as error:
        if error.not_found or error.conflict:
            return None
        raise


def _passing(error: KubeError) -> bool:
    return error.status >= HTTPStatus.INTERNAL_SERVER_ERROR or error.status == HTTPStatus.TOO_MANY_REQUESTS
