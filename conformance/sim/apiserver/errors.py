"""The refusals of an API server, each with the code and reason that clients tell them apart by.

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
    """One rule that a field breaks.

    Attributes:
        field: Path of the field, for example `spec.containers[0].name`.
        message: What is wrong, starting with the kind of breach (`Required value`, `Invalid value: ...`).
        reason: Machine-readable kind of breach.
    """

    field: str
    message: str
    reason: str = "FieldValueInvalid"

    def __str__(self) -> str:
        return f"{self.field}: {self.message}"


def required(field: str, detail: str = "") -> Cause:
    """Return the cause for a field that must be there."""
    return Cause(field, "Required value" + (f": {detail}" if detail else ""), "FieldValueRequired")


def invalid(field: str, value: Any, detail: str) -> Cause:
    """Return the cause for a field whose value breaks a rule."""
    return Cause(field, f"Invalid value: {_shown(value)}: {detail}")


def unsupported(field: str, value: Any, supported: Iterable[str]) -> Cause:
    """Return the cause for a field whose value is none of those that it may have."""
    choices = ", ".join(_shown(choice) for choice in supported)
    message = f"Unsupported value: {_shown(value)}: supported values: {choices}"
    return Cause(field, message, "FieldValueNotSupported")


def duplicate(field: str, value: Any) -> Cause:
    """Return the cause for a value that only one element of a list may have."""
    return Cause(field, f"Duplicate value: {_shown(value)}", "FieldValueDuplicate")


def _shown(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def forbidden_field(field: str, detail: str) -> Cause:
    """Return the cause for a field that may not be set or changed."""
    return Cause(field, f"Forbidden: {detail}", "FieldValueForbidden")


class ApiError(Exception):
    """A request that the server refuses; carries the Status object that answers it.

    Attributes:
        status: The Kubernetes Status, ready to be encoded.
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
    """An object with a value of a wrong type; a refusal with 400 where it is a body, with 422 where a patch made it.

    Attributes:
        detail: Which value is of which wrong type.
    """

    def __init__(self, message: str, detail: str) -> None:
        super().__init__(HTTPStatus.BAD_REQUEST, "BadRequest", f"{message}: {detail}")
        self.detail = detail


def bad_request(message: str) -> ApiError:
    """Return the refusal of a request that cannot be understood (400)."""
    return ApiError(HTTPStatus.BAD_REQUEST, "BadRequest", message)


def unauthorized() -> ApiError:
    """Return the refusal of a caller whose identity is not known (401)."""
    return ApiError(HTTPStatus.UNAUTHORIZED, "Unauthorized", "Unauthorized")


def forbidden(kind: str, name: str, why: str) -> ApiError:
    """Return the refusal of a request that this server understands and does not allow (403)."""
    return ApiError(HTTPStatus.FORBIDDEN, "Forbidden", f'{kind} "{name}" is forbidden: {why}', name=name, kind=kind)


def not_found(resource: str, name: str, group: str = "") -> ApiError:
    """Return the refusal for an object that does not exist (404)."""
    message = f'{_qualified(resource, group)} "{name}" not found'
    return ApiError(HTTPStatus.NOT_FOUND, "NotFound", message, **_details(resource, name, group))


class NoSuchPathError(ApiError):
    """A path that names nothing that is served (404); answered by plain text and not by a Status."""

    def __init__(self) -> None:
        super().__init__(HTTPStatus.NOT_FOUND, "NotFound", "404 page not found")


def method_not_allowed() -> ApiError:
    """Return the refusal of a verb that the resource does not have (405)."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(HTTPStatus.METHOD_NOT_ALLOWED, "MethodNotAllowed", message)


def already_exists(resource: str, name: str, group: str = "") -> ApiError:
    """Return the refusal to create an object a second time (409)."""
    message = f'{_qualified(resource, group)} "{name}" already exists'
    return ApiError(HTTPStatus.CONFLICT, "AlreadyExists", message, **_details(resource, name, group))


def conflict(resource: str, name: str, why: str, group: str = "") -> ApiError:
    """Return the refusal of a change that is based on an outdated state (409)."""
    message = f'Operation cannot be fulfilled on {_qualified(resource, group)} "{name}": {why}'
    return ApiError(HTTPStatus.CONFLICT, "Conflict", message, **_details(resource, name, group))


def _qualified(resource: str, group: str) -> str:
    return f"{resource}.{group}" if group else resource


def _details(kind: str, name: str, group: str) -> dict[str, str]:
    """Return what an object's Status says about it; what is empty is left out."""
    return {key: text for key, text in (("name", name), ("group", group), ("kind", kind)) if text}


def expired(message: str) -> ApiError:
    """Return the refusal to go back to a revision that is no longer kept (410)."""
    return ApiError(HTTPStatus.GONE, "Expired", message)


def unsupported_media_type(accepted: Sequence[str]) -> ApiError:
    """Return the refusal of a body in a format that the server does not read (415)."""
    message = f"the body of the request was in an unknown format - accepted media types include: {', '.join(accepted)}"
    return ApiError(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message)


def unprocessable(kind: str, name: str, causes: Sequence[Cause], group: str = "") -> ApiError:
    """Return the refusal of an object that breaks rules (422); `causes` must not be empty."""
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
    """Return the refusal of a request that may be made again later (429)."""
    causes = [{"reason": "DisruptionBudget", "message": cause}]
    return ApiError(HTTPStatus.TOO_MANY_REQUESTS, "TooManyRequests", message, causes=causes)


def internal(message: str) -> ApiError:
    """Return the answer to a request that failed for no fault of the caller (500)."""
    return ApiError(HTTPStatus.INTERNAL_SERVER_ERROR, "InternalError", f"Internal error occurred: {message}")


def too_large_revision(wanted: int, current: int) -> ApiError:
    """Return the refusal to read a revision that does not exist yet (504)."""
    message = f"Timeout: Too large resource version: {wanted}, current: {current}"
    causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
    return ApiError(HTTPStatus.GATEWAY_TIMEOUT, "Timeout", message, causes=causes, retryAfterSeconds=1)
