"""How many nodes are reconfigured at the same time."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MaxUnavailable:
    """Maximum number of nodes that are reconfigured at the same time.

    Attributes:
        amount: Number of nodes, at least 1; with `percent`, a percentage from 1 to 100.
        percent: Whether `amount` is a percentage.
    """

    amount: int
    percent: bool = False

    def nodes_at_once(self, total: int) -> int:
        """Return the number for `total` nodes. A percentage rounds down, to at least 1; a number may exceed it."""
        return max(1, total * self.amount // 100) if self.percent else self.amount


def max_unavailable(text: str) -> MaxUnavailable:
    """Parse `3` or `25%`.

    Raises:
        ValueError: The text is neither; the message says what is valid.
    """
    amount, sign, rest = text.partition("%")
    most = 100 if sign else None
    if rest or not (amount.isascii() and amount.isdecimal()) or int(amount) < 1 or (most and int(amount) > most):
        raise ValueError(f"takes a number of nodes from 1, or a share of them from 1% to 100%, not {text}")
    return MaxUnavailable(int(amount), percent=bool(sign))
