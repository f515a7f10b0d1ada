"""Errors between the suite and a cluster. Messages say what happened and, where possible, how to fix it."""

from __future__ import annotations

from collections.abc import Sequence
from http import HTTPStatus


class ClusterError(Exception):
    """The suite could not use the cluster. This is no verdict on the cluster: cases fail with `ConformanceError`."""


class InconclusiveError(ClusterError):
    """Something that is not the cluster's handling of MIG keeps the suite from judging; the message says what.

    Cases that meet it are `inconclusive`: it is never a finding.
    """


class UnknownNodeError(ClusterError):
    """The cluster has no node of that name, or has none any more.

    Attributes:
        node: The name.
    """

    def __init__(self, node: str, known: Sequence[str]) -> None:
        super().__init__(f"unknown node {node}; there are: {', '.join(known) or 'none at all'}")
        self.node = node


class ApiError(ClusterError):
    """The API server rejected a request.

    Attributes:
        status: HTTP status code (404, 409, 422, ...); 0 if there was no HTTP response.
        reason: Kubernetes reason (`NotFound`, `AlreadyExists`, `Conflict`, `Expired`, ...); empty if not given.
        message: Message from the server.
    """

    def __init__(self, what: str, status: int, reason: str, message: str) -> None:
        super().__init__(f"{what}: {status} {reason}: {message}".rstrip(": "))
        self.status = status
        self.reason = reason
        self.message = message

    @property
    def not_found(self) -> bool:
        """Whether the object or the resource type does not exist."""
        return self.status == HTTPStatus.NOT_FOUND

    @property
    def conflict(self) -> bool:
        """Whether the object already exists or was changed since it was read."""
        return self.status == HTTPStatus.CONFLICT

    @property
    def expired(self) -> bool:
        """Whether the server no longer has the requested resourceVersion."""
        return self.status == HTTPStatus.GONE


class DeniedError(ApiError, InconclusiveError):
    """The credentials do not allow what the suite asked for (403)."""


class AccessLostError(ApiError, InconclusiveError):
    """The credentials are no longer accepted (401), or do not allow the watches of the suite any more."""


class UnreachableError(InconclusiveError):
    """The API server does not answer.

    Attributes:
        unprocessed: Whether the server certainly did not process the request, so that even a write may be retried.
    """

    def __init__(self, message: str, *, unprocessed: bool = False) -> None:
        super().__init__(message)
        self.unprocessed = unprocessed


class WaitTimeout(ClusterError):  # noqa: N818 - named for what happened, like subprocess.TimeoutExpired
    """A wait reached its limit.

    Attributes:
        what: What was waited for.
        node: Name of the node concerned; None if the wait was not for one node.
        seconds: Length of the wait, in seconds of the cluster's clock.
        last_seen: Description of the state at the end; empty if there is none.
        look_at: Where to look next; empty if there is no hint.
        timeline: Latest changes of the node, one line each.
    """

    def __init__(
        self, what: str, *, node: str | None, seconds: float, last_seen: str, look_at: str, timeline: Sequence[str]
    ) -> None:
        on_node = f" on node {node}" if node else ""
        lines = [f"waited {seconds:.1f} s for {what}{on_node}"]
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
