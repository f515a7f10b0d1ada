"""Back-off: waits that double from one failure to the next."""

from __future__ import annotations


class BackOff:
    """The wait before a failing operation is retried; zero until it is first lengthened.

    Args:
        first: First wait, in seconds.
        longest: Longest wait, in seconds.

    Attributes:
        seconds: The current wait.
    """

    def __init__(self, first: float, longest: float) -> None:
        self._first = first
        self._longest = longest
        self.seconds = 0.0

    def lengthen(self) -> float:
        """Double the wait and return it."""
        self.seconds = min(max(2 * self.seconds, self._first), self._longest)
        return self.seconds

    def reset(self) -> None:
        """Reset the wait to zero."""
        self.seconds = 0.0
