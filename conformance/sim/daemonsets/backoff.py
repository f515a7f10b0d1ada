"""How long a failed pod of a DaemonSet stays before its successor comes.

Source: Kubernetes v1.36, pkg/controller/daemon/daemon_controller.go (failedPodsBackoff) and client-go util/flowcontrol.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Final

FIRST_SECONDS: Final = 1.0
LAST_SECONDS: Final = 900.0
"""Wait before the first and, doubling, any later replacement on the same node."""


class FailureBackOff:
    """Waits between replacements, each twice as long as the one before; all cluster seconds."""

    def __init__(self) -> None:
        self._waits: dict[Hashable, tuple[float, float]] = {}

    def remaining(self, place: Hashable, now: float) -> float:
        """Return how long the next replacement in `place` has to wait; 0 allows it, and begins the next wait.

        A place where nothing failed for twice the longest wait starts anew.
        """
        allowed_at, wait = self._waits.get(place, (now, 0.0))
        if allowed_at > now:
            return allowed_at - now
        wait = FIRST_SECONDS if now - allowed_at > 2 * LAST_SECONDS else min(max(2 * wait, FIRST_SECONDS), LAST_SECONDS)
        self._waits[place] = (now + wait, wait)
        return 0.0
