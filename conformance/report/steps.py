"""What was done to a node and seen on it on the way to the evidence of a case, as steps for a reader."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        title: What was done or seen, in a few words.
        begun: When it began, in seconds since the epoch.
        ended: When it ended, in the same seconds.
        steps: Its main moments, in order.
    """

    title: str
    begun: float
    ended: float
    steps: tuple[Step, ...] = ()
