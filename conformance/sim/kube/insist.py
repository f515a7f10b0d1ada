"""Requests that have to reach the server, whatever happens to the connection meanwhile."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final, TypeVar

import aiohttp
from tenacity import AsyncRetrying, retry_if_exception, wait_exponential

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
    waits = wait_exponential(multiplier=FIRST_RETRY, max=LAST_RETRY)
    async for attempt in AsyncRetrying(retry=retry_if_exception(_passing), wait=waits, reraise=True):
        with attempt:
            return await request()
    raise AssertionError("retrying never gives up without an error")


async def insist_unless_gone(request: Callable[[], Awaitable[T]]) -> T | None:
    """As `insist`, but return None where the object is gone or is another one by now (404, 409)."""
    try:
        return await insist(request)
    except KubeError as error:
        if error.not_found or error.conflict:
            return None
        raise


def _passing(error: BaseException) -> bool:
    if isinstance(error, KubeError):
        return error.status >= HTTPStatus.INTERNAL_SERVER_ERROR or error.status == HTTPStatus.TOO_MANY_REQUESTS
    return isinstance(error, (aiohttp.ClientError, TimeoutError, OSError))
