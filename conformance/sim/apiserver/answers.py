"""Building HTTP answers."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus

from aiohttp import web

from conformance.sim.apiserver.errors import ApiError, NoSuchPathError
from conformance.sim.apiserver.records import encoded

JSON_TYPE = "application/json"


def json_answer(body: bytes, status: int = HTTPStatus.OK, warnings: Iterable[str] = ()) -> web.Response:
    """Return an answer of encoded JSON, with one `Warning` header for each warning."""
    answer = web.Response(body=body, status=status, content_type=JSON_TYPE)
    for text in warnings:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        answer.headers.add("Warning", f'299 - "{escaped}"')
    return answer


def value_answer(value: object, status: int = HTTPStatus.OK) -> web.Response:
    """Return an answer that carries a JSON value."""
    return json_answer(encoded(value), status)


def refusal(error: ApiError) -> web.Response:
    """Return the answer to a request that was refused."""
    if isinstance(error, NoSuchPathError):
        return web.Response(text=f"{error}\n", status=error.code)
    answer = json_answer(encoded(error.status), error.code)
    retry = error.status.get("details", {}).get("retryAfterSeconds")
    if retry:
        answer.headers["Retry-After"] = str(retry)
    return answer


def success(**details: object) -> web.Response:
    """Return the Status that says that a request was carried out."""
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return value_answer({**status, "details": details} if details else status)


def media_of(request: web.BaseRequest) -> str:
    """Return the media type of a request's body, empty where the client does not say."""
    return request.headers.get("Content-Type", "").partition(";")[0].strip()
