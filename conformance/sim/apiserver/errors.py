"""The refusals of an API server, each with the code and reason that clients tell them apart by.

Codes, reasons and message forms follow k8s.io/apimachinery pkg/api/errors v0.36.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    shown = f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else str(value)
    return Cause(field, f"Invalid value: {shown}: {detail}")


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
    qualified = f"{resource}.{group}" if group else resource
    details = {"name": name, "kind": resource} | ({"group": group} if group else {})
    return ApiError(HTTPStatus.NOT_FOUND, "NotFound", f'{qualified} "{name}" not found', **details)


def no_such_path() -> ApiError:
    """Return the refusal for a path that names no resource at all (404)."""
    return ApiError(HTTPStatus.NOT_FOUND, "NotFound", "the server could not find the requested resource")


def method_not_allowed() -> ApiError:
    """Return the refusal of a verb that the resource does not have (405)."""
    message = "the server does not allow this method on the requested resource"
    return ApiError(HTTPStatus.METHOD_NOT_ALLOWED, "MethodNotAllowed", message)


def already_exists(resource: str, name: str) -> ApiError:
    """Return the refusal to create an object a second time (409)."""
    message = f'{resource} "{name}" already exists'
    return ApiError(HTTPStatus.CONFLICT, "AlreadyExists", message, name=name, kind=resource)


def conflict(resource: str, name: str, why: str) -> ApiError:
    """Return the refusal of a change that is based on an outdated state (409)."""
    message = f'Operation cannot be fulfilled on {resource} "{name}": {why}'
    return ApiError(HTTPStatus.CONFLICT, "Conflict", message, name=name, kind=resource)


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
    qualified = f"{kind}.{group}" if group else kind
    return ApiError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "Invalid",
        f'{qualified} "{name}" is invalid: {listed}',
        name=name,
        kind=kind,
        causes=[{"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes],
        **({"group": group} if group else {}),
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
