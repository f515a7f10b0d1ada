"""The states that a cluster is brought to, and which of them a case asks for.

A cell is a strategy together with the name of a mig-parted configuration. A case declares beside itself, as data,
in which strategies and with which kinds of geometry it runs; the cells follow from what the nodes offer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from conformance.expect.kinds import EVERY_KIND, GeometryKind
from conformance.spec.mig_parted import ALL_DISABLED
from conformance.spec.names import Strategy

CERTIFIED_STRATEGIES: Final = (Strategy.SINGLE, Strategy.MIXED)
AS_FOUND: Final = 0
"""The wave of nodes that are not changed: they are looked at in the cell where they were found."""
FIRST_WAVE: Final = 1
"""The wave of nodes that are changed first; the canary, where the user wants one."""


@dataclass(frozen=True)
class Cell:
    """One state of the cluster; `str()` is its readable id."""

    strategy: Strategy
    configuration: str

    def __str__(self) -> str:
        return f"{self.strategy}-{self.configuration}"


@dataclass(frozen=True)
class Spot:
    """Where a case runs: one node in a cell.

    Attributes:
        cell: The cell.
        node: Name of the node.
        wave: Number of the wave in which the node is brought there, from 1; `AS_FOUND` where it is not changed.
        after: For the change of strategy, the cell that the node comes from; None for a case that stays in its cell.
    """

    cell: Cell
    node: str
    wave: int = 1
    after: Cell | None = None

    def __str__(self) -> str:
        return f"{self.cell}-{self.node}" if self.after is None else f"{self.after}-to-{self.cell}-{self.node}"


@dataclass(frozen=True)
class CellSelection:
    """The cells that a case asks for.

    Attributes:
        strategies: The strategies.
        kinds: The kinds of geometry.
        exclude: Combinations that are left out all the same.
    """

    strategies: tuple[Strategy, ...] = CERTIFIED_STRATEGIES
    kinds: tuple[GeometryKind, ...] = EVERY_KIND
    exclude: frozenset[tuple[Strategy, GeometryKind]] = frozenset()

    def takes(self, strategy: Strategy, kind: GeometryKind) -> bool:
        """Whether the case runs where a geometry of that kind stands under that strategy."""
        return strategy in self.strategies and kind in self.kinds and (strategy, kind) not in self.exclude


def cells(
    *,
    strategies: Iterable[Strategy] = CERTIFIED_STRATEGIES,
    kinds: Iterable[GeometryKind] = EVERY_KIND,
    exclude: Iterable[tuple[Strategy, GeometryKind]] = (),
) -> CellSelection:
    """Declare the cells of a case; without arguments every configuration under both strategies."""
    return CellSelection(tuple(strategies), tuple(kinds), frozenset(exclude))


EVERY_CELL: Final = cells()


def strategy_order(found: Strategy) -> tuple[Strategy, ...]:
    """Order the strategies: the one that the cluster has comes first, `single` where it has neither."""
    return tuple(sorted(CERTIFIED_STRATEGIES, key=lambda strategy: strategy is not found))


def configuration_order(names: Iterable[str], *, last: str | None = None, first: str | None = None) -> list[str]:
    """Order the configurations of one strategy: `all-disabled` first, then by name, but for the one at the switch.

    Args:
        names: The configurations.
        last: The one with which the first strategy ends, since the change of strategy is watched there; None for none.
        first: The one with which the second strategy begins, as above.
    """
    return sorted(names, key=lambda name: (name == last, name != first, name != ALL_DISABLED, name))
