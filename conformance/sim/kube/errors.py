"""What an API server answers when it refuses."""

from __future__ import annotations

import json


class KubeError(Exception):
    """The API server refused a request.

    Attributes:
        status: HTTP status code.
        reason: Machine-readable reason of the Status object, for example `NotFound`; empty where there was none.
        message: The server's words.
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status = status
        self.reason = reason
        self.message = message

    @classmethod
    def from_answer(cls, status: int, body: str) -> KubeError:
        """Read the Status object that the server sent; a body that is none becomes the message."""
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
        """Whether the object changed in the meantime (a precondition or a resourceVersion did not hold)."""
        return self.status == 409 and self.reason != "AlreadyExists"

    @property
    def already_exists(self) -> bool:
        """Whether an object of that name is there already."""
        return self.reason == "AlreadyExists"

    @property
    def expired(self) -> bool:
        """Whether the requested resourceVersion is older than the server remembers (410 Gone)."""
        return self.status == 410
