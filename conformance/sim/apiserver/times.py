"""Times as the server stores them: RFC 3339 in UTC, whole seconds or microseconds."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_SECONDS = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
_MICROSECONDS = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(?:Z|[+-]\d\d:\d\d)$")


def seconds_text(moment: datetime) -> str:
    """Return the stored form of a `Time`; fractions of a second are cut off."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def stored_time(text: str) -> str:
    """Return the stored form of a `Time` that a client wrote; raises ValueError where it is none."""
    return text if _SECONDS.match(text) else seconds_text(_parse(text))


def stored_micro_time(text: str) -> str:
    """Return the stored form of a `MicroTime` that a client wrote; raises ValueError unless it has all six digits."""
    if not _MICROSECONDS.match(text):
        raise ValueError(f"{text!r} does not have the form 2006-01-02T15:04:05.000000Z07:00")
    return _parse(text).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _parse(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment
