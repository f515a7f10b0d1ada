"""Log lines in the form of klog, which both programs of the device plugin's image write.

The place in the source (`main.go:198`) is part of a line because people search logs for it; the numbers are those of
NVIDIA/k8s-device-plugin v0.20.0, whatever the version that is simulated.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime


class Klog:
    """Writes `<severity><month><day> <time> <process> <place>] <text>`.

    Args:
        write: Takes one line.
        now: Wall time of the cluster.
    """

    def __init__(self, write: Callable[[str], None], now: Callable[[], datetime]) -> None:
        self._write = write
        self._now = now

    def info(self, place: str, text: str) -> None:
        """Log what happened in the normal course."""
        self._line("I", place, text)

    def warning(self, place: str, text: str) -> None:
        """Log what is odd and does not stop the program."""
        self._line("W", place, text)

    def failure(self, place: str, text: str) -> None:
        """Log a failure."""
        self._line("E", place, text)

    def _line(self, severity: str, place: str, text: str) -> None:
        self._write(f"{severity}{self._now():%m%d %H:%M:%S.%f}       1 {place}] {text}")
