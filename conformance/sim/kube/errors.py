"""Errors of an API server."""

from __future__ import annotations

import json


class KubeError(Exception):
    """The API server rejected a request.

    Attributes:
        status: HTTP status code.
        reason: Machine-readable reason of the Status object, for example `NotFound`; empty if there is none.
        message: Message of the Status object.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message

    @classmethod
    def from_answer(cls, status: int, body: str) -> KubeError:
        """Parse the Status object of a response; any other body becomes the message."""
        try:
            answer = json.loads(body)
        except json.JSONDecodeError:
            return cls(status, "", body.strip())
        return cls(status, answer.get("reason") or "", answer.get("message") or "")

    @property
    def not_found(self) -> bool:
        """Whether the object, or its kind, does not exist."""
        return self.status == 404

    @property
    def conflict(self) -> bool:
        """Whether the object has changed: a precondition or resourceVersion does not match."""
        return self.status == 409 and self.reason != "AlreadyExists"

    @property
    def already_exists(self) -> bool:
        """Whether an object of that name already exists."""
        return self.reason == "AlreadyExists"

    @property
    def expired(self) -> bool:
        """Whether the requested resourceVersion is too old (410 Gone)."""
        return self.status == 410
