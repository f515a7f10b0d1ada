"""Evidence of how the suite brought a node to its cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from conformance.expect.node import Approach
from conformance.expect.observed import ObservedGpu
from conformance.operations.evidence import Outcome, Reconfiguration, StrategyChange


@dataclass(frozen=True)
class Arrival:
    """How the suite brought one node to a cell.

    Attributes:
        reconfiguration: What mig-manager did.
        labels_before: All labels of the node before the first change on the way to the cell.
        before: The GPUs before that change.
        resumed_before: Whether the same mig-manager process had already applied an earlier change successfully.
        strategy_change: The change of strategy on the way to the cell; None if the strategy did not change.
        holders: Who may keep GPUs busy, if that is why the configuration was not applied; a line each.
    """

    reconfiguration: Reconfiguration
    labels_before: Mapping[str, str]
    before: tuple[ObservedGpu, ...]
    resumed_before: bool
    strategy_change: StrategyChange | None
    holders: tuple[str, ...] = ()

    @property
    def reached(self) -> bool:
        """Whether mig-manager reported the configuration as applied."""
        return self.reconfiguration.applied

    @property
    def mark(self) -> int:
        """Timeline mark before the first change on the way to the cell."""
        return self.reconfiguration.mark if self.strategy_change is None else self.strategy_change.mark

    @property
    def approach(self) -> Approach:
        """The facts about the way to the cell that expectations depend on."""
        return Approach(
            asked=self.reconfiguration.outcome is not Outcome.KEPT,
            labels_before=self.labels_before,
            labels_when_asked=self.reconfiguration.labels_before,
            resumed_before=self.resumed_before,
            strategy_changed=self.strategy_change is not None,
        )
