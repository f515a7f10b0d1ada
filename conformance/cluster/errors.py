"""What can go wrong between the suite and a cluster; every message says what happened and how to mend it."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus


class ClusterError(Exception):
    """The cluster could not be used as intended. Not a verdict on the cluster: cases fail with `ConformanceError`."""


class ApiError(ClusterError):
    """The API server refused a request.

    Attributes:
        status: HTTP status (404, 409, 422, ...); 0 where there was no HTTP answer.
        reason: Kubernetes reason (`NotFound`, `AlreadyExists`, `Conflict`, `Expired`, ...); empty where not given.
        message: The server's own text.
    """

    def __init__(self, what: str, status: int, reason: str, message: str) -> None:
        super().__init__(f"{what}: {status} {reason}: {message}".rstrip(": "))
        self.status = status
        self.reason = reason
        self.message = message

    @property
    def not_found(self) -> bool:
        """There is no such object, or no such resource."""
        return self.status == HTTPStatus.NOT_FOUND

    @property
    def conflict(self) -> bool:
        """The object exists already, or was changed since it was read."""
        return self.status == HTTPStatus.CONFLICT

    @property
    def expired(self) -> bool:
        """The server has forgotten the version that was asked for."""
        return self.status == HTTPStatus.GONE


class UnreachableError(ClusterError):
    """The API server does not answer, or no longer answers.

    Attributes:
        unread: It surely did not read the request, which may therefore be sent again, whatever it was.
    """

    def __init__(self, message: str, *, unread: bool = False) -> None:
        super().__init__(message)
        self.unread = unread


class WaitTimeout(ClusterError):  # noqa: N818 - it reads as what it is, as the built-in TimeoutError's relatives do
    """Something awaited did not come in time.

    Attributes:
        what: What was waited for.
        node: The node concerned; None where the wait was not for one node.
        seconds: How long was waited, in seconds of the cluster's clock.
        last_seen: The state of things at the end; empty where there was nothing to say.
        look_at: What a person should look at next; empty where there was nothing to say.
        timeline: The last changes of the node, one line each.
    """

    def __init__(
        self, what: str, *, node: str | None, seconds: float, last_seen: str, look_at: str, timeline: Sequence[str]
    ) -> None:
        place = f" on node {node}" if node else ""
        lines = [f"waited {seconds:.1f} s for {what}{place}"]
        lines += [f"  last seen   {last_seen}"] if last_seen else []
        lines += [f"  look at     {look_at}"] if look_at else []
        lines += [f"  {'timeline' if first else '':<10}  {line}" for first, line in _marked(timeline)]
        super().__init__("\n".join(lines))
        self.what = what
        self.node = node
        self.seconds = seconds
        self.last_seen = last_seen
        self.look_at = look_at
        self.timeline = tuple(timeline)


def _marked(lines: Sequence[str]) -> list[tuple[bool, str]]:
    return [(index == 0, line) for index, line in enumerate(lines)]
