"""Time formats of the Kubernetes API and of logs: RFC 3339 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def api_time(moment: datetime) -> str:
    """Return a `metav1.Time`: whole seconds, for example `2026-11-24T13:41:37Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def api_micro_time(moment: datetime) -> str:
    """Return a `metav1.MicroTime`: microseconds, for example `2026-11-24T13:41:37.123456Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def log_time(moment: datetime) -> str:
    """Return the timestamp of a log line in nanoseconds, as `kubectl logs --timestamps` prints it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f000Z")
