"""Log lines in klog format, as both programs of the device plugin image write them.

Each line contains the place in the source (`main.go:198`), because users search logs for it. Line numbers are those of
NVIDIA/k8s-device-plugin v0.20.0 for all versions.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime


class Klog:
    """Writes `<severity><month><day> <time> <process> <place>] <text>`.

    Args:
        write: Writes one line.
        now: Returns the date and time of the cluster.
    """

    def __init__(self, write: Callable[[str], None], now: Callable[[], datetime]) -> None:
        self._write = write
        self._now = now

    def info(self, place: str, text: str) -> None:
        """Log an informational message."""
        self._line("I", place, text)

    def warning(self, place: str, text: str) -> None:
        """Log a warning."""
        self._line("W", place, text)

    def failure(self, place: str, text: str) -> None:
        """Log an error."""
        self._line("E", place, text)

    def _line(self, severity: str, place: str, text: str) -> None:
        self._write(f"{severity}{self._now():%m%d %H:%M:%S.%f}       1 {place}] {text}")
