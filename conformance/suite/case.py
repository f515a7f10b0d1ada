"""The declaration of a conformance case."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from conformance.spec.requirements import REQUIREMENTS
from conformance.suite.cells import CellSelection
from conformance.suite.scenario import AnyScenario, Needs

NO_NEEDS: Final = Needs(gpus=0)
"""Needs of a case that has none of its own. Its scenario says how many GPUs a node must have, since labels do not
always count the GPUs of a node that is only read."""


@dataclass(frozen=True)
class CaseDeclaration:
    """One conformance case, independent of the places where it runs.

    Attributes:
        name: Name of its function.
        requirements: Ids of the requirements that it certifies.
        scenario: The scenario that gives the evidence.
        cells: The cells in which it runs.
        needs: What the node must have in addition to the needs of the scenario.
        tells_arrival: Whether this case reports that a node did not reach its cell. All other cases of that node
            in that cell are then blocked.
    """

    name: str
    requirements: tuple[str, ...]
    scenario: AnyScenario
    cells: CellSelection
    needs: Needs = NO_NEEDS
    tells_arrival: bool = False

    @property
    def core(self) -> bool:
        """Whether the case belongs to `--profile core`: what a healthy cluster shows as long as nothing is broken."""
        levels = {REQUIREMENTS[name].level for name in self.requirements}
        return "core" in levels and not self.scenario.full_profile_only
