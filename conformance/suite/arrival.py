"""How a node came to its cell: evidence of the request that led there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from conformance.expect.node import Approach
from conformance.expect.observed import ObservedGpu
from conformance.operations.evidence import Outcome, Reconfiguration, StrategyChange


@dataclass(frozen=True)
class Arrival:
    """One node that the suite brought to a cell.

    Attributes:
        reconfiguration: What mig-manager did.
        labels_before: All labels of the node before anything was changed on the way here.
        before: The GPUs as they were before.
        resumed_before: Whether the same mig-manager process had brought a change to success before.
        strategy_change: The change of strategy on the way here; None where the strategy stayed.
    """

    reconfiguration: Reconfiguration
    labels_before: Mapping[str, str]
    before: tuple[ObservedGpu, ...]
    resumed_before: bool
    strategy_change: StrategyChange | None

    @property
    def reached(self) -> bool:
        """Whether mig-manager says that the configuration is there."""
        return self.reconfiguration.applied

    @property
    def mark(self) -> int:
        """Where the timeline stood before the first change on the way here."""
        return self.reconfiguration.mark if self.strategy_change is None else self.strategy_change.mark

    @property
    def approach(self) -> Approach:
        """What expectations about the way here depend on."""
        return Approach(
            asked=self.reconfiguration.outcome is not Outcome.KEPT,
            labels_before=self.labels_before,
            labels_when_asked=self.reconfiguration.labels_before,
            resumed_before=self.resumed_before,
            strategy_changed=self.strategy_change is not None,
        )
