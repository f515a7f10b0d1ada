"""How long a container that keeps ending has to wait before it is started again."""

from __future__ import annotations

from typing import Final

FIRST_SECONDS: Final = 10.0
LAST_SECONDS: Final = 300.0
"""The first wait and, doubling, the longest (kubelet v1.36, containerBackOffPeriod and MaxContainerBackOff)."""
FORGIVEN_AFTER: Final = 600.0
"""A container that ran longer starts anew, as if it had never ended (twice the longest wait)."""


class BackOff:
    """Waits of one container: none before the first restart, then ever longer ones."""

    def __init__(self) -> None:
        self._next = 0.0

    def after(self, ran_seconds: float) -> float:
        """Return the seconds to wait after a run that lasted so long."""
        if ran_seconds > FORGIVEN_AFTER:
            self._next = 0.0
        seconds, self._next = self._next, min(max(self._next * 2, FIRST_SECONDS), LAST_SECONDS)
        return seconds
