"""Cells, and how a case selects the cells it runs in.

A cell is a strategy together with the name of a mig-parted configuration. A case declares strategies and kinds of
geometry; its cells follow from the configurations that the nodes offer.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Final

from conformance.expect.kinds import EVERY_KIND, GeometryKind
from conformance.spec.mig_parted import ALL_DISABLED
from conformance.spec.names import Strategy

CERTIFIED_STRATEGIES: Final = (Strategy.SINGLE, Strategy.MIXED)
AS_FOUND: Final = 0
"""Wave number of nodes that are not changed, only read in the cell in which they were found."""
FIRST_WAVE: Final = 1
"""Wave number of the nodes that are changed first; with `--canary`, of the canary nodes."""


@dataclass(frozen=True)
class Cell:
    """A strategy and a configuration; `str()` gives a readable id."""

    strategy: Strategy
    configuration: str

    def __str__(self) -> str:
        return f"{self.strategy}-{self.configuration or 'without-a-configuration'}"


@dataclass(frozen=True)
class Spot:
    """The place where a case runs: one node in a cell.

    Attributes:
        cell: The cell.
        node: Name of the node.
        wave: Number of the wave in which the node is changed, from 1; `AS_FOUND` if it is not changed.
        after: For the change of strategy, the cell before the change; None for every other case.
    """

    cell: Cell
    node: str
    wave: int = 1
    after: Cell | None = None

    def __str__(self) -> str:
        return f"{self.cell}-{self.node}" if self.after is None else f"{self.after}-to-{self.cell}-{self.node}"


@dataclass(frozen=True)
class CellSelection:
    """Which cells a case runs in.

    Attributes:
        strategies: The strategies.
        kinds: The kinds of geometry.
        exclude: Combinations of strategy and kind in which the case does not run although both are listed above.
        once: Whether the case runs in only one of these cells on each node: its rule does not depend on the cell.
        instead: Kind that takes the place of `kinds` under `mixed` on a node whose configurations are of other kinds,
            such as one with GPUs of several models; None if the case does not run there.
    """

    strategies: tuple[Strategy, ...] = CERTIFIED_STRATEGIES
    kinds: tuple[GeometryKind, ...] = EVERY_KIND
    exclude: frozenset[tuple[Strategy, GeometryKind]] = frozenset()
    once: bool = False
    instead: GeometryKind | None = None

    def takes(self, strategy: Strategy, kind: GeometryKind, offered: Collection[GeometryKind] = ()) -> bool:
        """Whether the case runs in a cell of this strategy whose geometry is of this kind.

        Args:
            strategy: Strategy of the cell.
            kind: Kind of its geometry.
            offered: Kinds of all configurations that the node offers; empty if they do not matter.
        """
        if self.instead in offered and not set(self.kinds).intersection(offered):
            return strategy is Strategy.MIXED and strategy in self.strategies and kind is self.instead
        return strategy in self.strategies and kind in self.kinds and (strategy, kind) not in self.exclude


def cells(
    *,
    strategies: Iterable[Strategy] = CERTIFIED_STRATEGIES,
    kinds: Iterable[GeometryKind] = EVERY_KIND,
    exclude: Iterable[tuple[Strategy, GeometryKind]] = (),
    once: bool = False,
    instead: GeometryKind | None = None,
) -> CellSelection:
    """Select the cells of a case; without arguments, every configuration under both strategies."""
    return CellSelection(tuple(strategies), tuple(kinds), frozenset(exclude), once, instead)


EVERY_CELL: Final = cells()
ANY_UNIFORM_CELL: Final = cells(kinds=[GeometryKind.UNIFORM], once=True, instead=GeometryKind.UNEVEN)
"""One cell for each node, in which all MIG devices have the same profile; where it offers none, several profiles."""


def strategy_order(found: Strategy) -> tuple[Strategy, ...]:
    """Order the strategies: that of the cluster first, so that the run begins without a change; else `single`."""
    return tuple(sorted(CERTIFIED_STRATEGIES, key=lambda strategy: strategy is not found))


def configuration_order(names: Iterable[str], *, last: str | None = None, first: str | None = None) -> list[str]:
    """Order the configurations of one strategy: `all-disabled` first, then by name.

    The configuration in which the change of strategy is watched goes to the edge next to that change, so that both
    strategies visit it without an extra reconfiguration.

    Args:
        names: The configurations.
        last: The configuration that must come last, before the change of strategy; None for no such rule.
        first: The configuration that must come first, after the change of strategy; None for no such rule.
    """
    return sorted(names, key=lambda name: (name == last, name != first, name != ALL_DISABLED, name))
