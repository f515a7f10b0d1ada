"""Container logs."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Final

from conformance.spec.times import log_time

KEPT_LINES: Final = 10_000
"""Maximum number of lines per run; older ones are dropped, as with log rotation."""


@dataclass(frozen=True)
class LogOptions:
    """Options of a reader.

    Attributes:
        tail: Number of last lines; None for all.
        since: Time of the first line; None for all.
        timestamps: Whether to prefix each line with its time.
        follow: Whether to continue until the container ends.
    """

    tail: int | None = None
    since: datetime | None = None
    timestamps: bool = False
    follow: bool = False


class ContainerLog:
    """The lines of one run of a container."""

    def __init__(self) -> None:
        self._lines: deque[tuple[datetime, str]] = deque(maxlen=KEPT_LINES)
        self._written = 0
        self._closed = False
        self._news = asyncio.Event()

    def append(self, moment: datetime, text: str) -> None:
        """Append a text of one or more lines."""
        for line in text.splitlines() or [""]:
            self._lines.append((moment, line))
            self._written += 1
        self._news.set()

    def close(self) -> None:
        """Close the log, because the container has ended."""
        self._closed = True
        self._news.set()

    def lines(self) -> list[str]:
        """Return all lines that are kept."""
        return [line for _, line in self._lines]

    async def read(self, options: LogOptions) -> AsyncIterator[str]:
        """Yield the text, as many lines at a time as are available, each with its line ending."""
        start = self._written - len(self._lines)
        if options.tail is not None:
            start = max(start, self._written - options.tail)
        while True:
            missed = self._written - len(self._lines)
            text = "".join(
                f"{log_time(moment)} {line}\n" if options.timestamps else f"{line}\n"
                for moment, line in islice(self._lines, max(start - missed, 0), None)
                if options.since is None or moment >= options.since
            )
            start = self._written
            if text:
                yield text
            if self._closed or not options.follow:
                return
            self._news.clear()
            await self._news.wait()
