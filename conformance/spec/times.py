"""The forms in which the Kubernetes API and its logs write times: RFC 3339 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def api_time(moment: datetime) -> str:
    """Return a `metav1.Time`: UTC in whole seconds, for example `2026-11-24T13:41:37Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def api_micro_time(moment: datetime) -> str:
    """Return a `metav1.MicroTime`: UTC with microseconds, for example `2026-11-24T13:41:37.123456Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def log_time(moment: datetime) -> str:
    """Return the timestamp of a log line: nanoseconds, as `kubectl logs --timestamps` shows them."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
