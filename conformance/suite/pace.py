"""How many nodes are taken at once."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MaxUnavailable:
    """The most nodes that may be in a reconfiguration at the same time.

    Attributes:
        amount: Number of nodes from 1, or with `percent` a share of all nodes, 1 to 100.
        percent: Whether the amount is a share.
    """

    amount: int
    percent: bool = False

    def nodes_at_once(self, total: int) -> int:
        """How many of `total` nodes: a share is rounded down, but at least 1; a number may be more than there are."""
        return max(1, total * self.amount // 100) if self.percent else self.amount


def max_unavailable(text: str) -> MaxUnavailable:
    """Read `3` or `25%`.

    Raises:
        ValueError: It is neither; says what would do.
    """
    amount, sign, rest = text.partition("%")
    most = 100 if sign else None
    if rest or not (amount.isascii() and amount.isdecimal()) or int(amount) < 1 or (most and int(amount) > most):
        raise ValueError(f"takes a number of nodes from 1, or a share of them from 1% to 100%, not {text}")
    return MaxUnavailable(int(amount), percent=bool(sign))
