"""The errors of an API server, with the codes and reasons by which clients distinguish them.

Codes, reasons and message forms follow k8s.io/apimachinery pkg/api/errors v0.36.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any


@dataclass(frozen=True)
class Cause:
    """One validation error of a field.

    Attributes:
        field: Path of the field, for example `spec.containers[0].name`.
        message: What is wrong, starting with the kind of error (`Required value`, `Invalid value: ...`).
        reason: Machine-readable kind of error.
    """

    field: str
    message: str
    reason: str = "FieldValueInvalid"

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def required(field: str, detail: str = "") -> Cause:
    """Return the cause for a required field that is missing."""
    return Cause(field, "Required value" + (f": {detail}" if detail else ""), "FieldValueRequired")


def invalid(field: str, value: Any, detail: str) -> Cause:
    """Return the cause for an invalid value."""
    return Cause(field, f"Invalid value: {_shown(value)}: {detail}")


def unsupported(field: str, value: Any, supported: Iterable[str]) -> Cause:
    """Return the cause for a value that is not among the supported ones."""
    choices = ", ".join(_shown(choice) for choice in supported)
    message = f"Unsupported value: {_shown(value)}: supported values: {choices}"
    return Cause(field, message, "FieldValueNotSupported")


def duplicate(field: str, value: Any) -> Cause:
    """Return the cause for a value that must be unique in its list and is not."""
    return Cause(field, f"Duplicate value: {_shown(value)}", "FieldValueDuplicate")


def _shown(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def forbidden_field(field: str, detail: str) -> Cause:
    """Return the cause for a field that must not be set or changed."""
    return Cause(field, f"Forbidden: {detail}", "FieldValueForbidden")


class ApiError(Exception):
    """A request that the server rejects; carries the Status object of the response.

    Attributes:
        code: HTTP status code.
        status: The Kubernetes Status object, ready to be encoded.
    """

    def __init__(self, code: int, reason: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.code = code
        self.status: dict[str, Any] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "details": details,
            "code": code,
        }
        if not details:
            del self.status["details"]


class UnreadableError(ApiError):
    """An object with a value of the wrong type: 400 for a request body, 422 for the result of a patch.

    Attributes:
        detail: Which value has which wrong type.
    """

    def __init__(self, message: str, detail: str) -> None:
        super().__init__(HTTPStatus.BAD_REQUEST, "BadRequest", f"{message}: {detail}")
        self.detail = detail


def bad_request(message: str) -> ApiError:
    """Return the error for a request that cannot be understood (400)."""
    return ApiError(HTTPStatus.BAD_REQUEST, "BadRequest", message)


def unauthorized() -> ApiError:
    """Return the error for an unknown caller (401)."""
    return ApiError(HTTPStatus.UNAUTHORIZED, "Unauthorized", "Unauthorized")


def forbidden(kind: str, name: str, why: str) -> ApiError:
    """Return the error for a request that is understood but not allowed (403)."""
    return ApiError(HTTPStatus.FORBIDDEN, "Forbidden", f'{kind} "{name}" is forbidden: {why}', name=name, kind=kind)


def denied(resource: str, group: str, name: str, why: str) -> ApiError:
    """Return the error for a request that the caller has no right to make (403)."""
    what = " ".join(filter(None, (_qualified(resource, group), f'"{name}"' if name else "")))
    message = f"{what} is forbidden: {why}"
    return ApiError(HTTPStatus.FORBIDDEN, "Forbidden", message, **_details(resource, name, group))


def not_found(resource: str, name: str, group: str = "") -> ApiError:
    """Return the error for an object that does not exist (404)."""
    message = f'{_qualified(resource, group)} "{name}" not found'
    return ApiError(HTTPStatus.NOT_FOUND, "NotFound", message, **_details(resource, name, group))


class NoSuchPathError(ApiError):
    """A path that is not served (404); the response is plain text, not a Status."""

    def __init__(self) -> None:
        super().__init__(HTTPStatus.NOT_FOUND, "NotFound", "404 page not found")


def method_not_allowed() -> ApiError:
    """Return the error for a verb that the resource does not support (405)."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(HTTPStatus.METHOD_NOT_ALLOWED, "MethodNotAllowed", message)


def already_exists(resource: str, name: str, group: str = "") -> ApiError:
    """Return the error for creating an object that exists already (409)."""
    message = f'{_qualified(resource, group)} "{name}" already exists'
    return ApiError(HTTPStatus.CONFLICT, "AlreadyExists", message, **_details(resource, name, group))


def conflict(resource: str, name: str, why: str, group: str = "") -> ApiError:
    """Return the error for a change that is based on an outdated version (409)."""
    message = f'Operation cannot be fulfilled on {_qualified(resource, group)} "{name}": {why}'
    return ApiError(HTTPStatus.CONFLICT, "Conflict", message, **_details(resource, name, group))


def _qualified(resource: str, group: str) -> str:
    return f"{resource}.{group}" if group else resource


def _details(kind: str, name: str, group: str) -> dict[str, str]:
    """Return the `details` of a Status without empty fields."""
    return {key: text for key, text in (("name", name), ("group", group), ("kind", kind)) if text}


def expired(message: str) -> ApiError:
    """Return the error for a revision that has been compacted (410)."""
    return ApiError(HTTPStatus.GONE, "Expired", message)


def unsupported_media_type(accepted: Sequence[str]) -> ApiError:
    """Return the error for a body in an unsupported format (415)."""
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
    return ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message)


def unprocessable(kind: str, name: str, causes: Sequence[Cause], group: str = "") -> ApiError:
    """Return the error for an invalid object (422); `causes` must not be empty."""
    rules = ", ".join(map(str, causes))
    listed = rules if len(causes) == 1 else f"[{rules}]"
    return ApiError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "Invalid",
        f'{_qualified(kind, group)} "{name}" is invalid: {listed}',
        causes=[{"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes],
        **_details(kind, name, group),
    )


def too_many_requests(message: str, cause: str) -> ApiError:
    """Return the error for a request that the client should repeat later (429)."""
    causes = [{"reason": "DisruptionBudget", "message": cause}]
    return ApiError(HTTPStatus.TOO_MANY_REQUESTS, "TooManyRequests", message, causes=causes)


def unavailable() -> ApiError:
    """503: a server that starts or shuts down, or that has no etcd."""
    return ApiError(503, "ServiceUnavailable", "the server is currently unable to handle the request")


def internal(message: str) -> ApiError:
    """Return the error for a failure inside the server (500)."""
    return ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError", f"Internal error occurred: {message}")


def too_large_revision(wanted: int, current: int) -> ApiError:
    """Return the error for a revision that does not exist yet (504)."""
    message = f"Timeout: Too large resource version: {wanted}, current: {current}"
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    return ApiError(HTTPStatus.GATEWAY_TIMEOUT, "Timeout", message, causes=causes, retryAfterSeconds=1)
