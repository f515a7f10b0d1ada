"""What a case declares of itself."""

from __future__ import annotations

from dataclasses import dataclass, field

from conformance.suite.cells import CellSelection
from conformance.suite.scenario import AnyScenario, Needs


@dataclass(frozen=True)
class CaseDeclaration:
    """One conformance case, before it is known where it runs.

    Attributes:
        name: Name of its function.
        requirements: Rows of the documented behaviour that it certifies.
        scenario: What is done to the cluster for it, and what it gets evidence of.
        cells: Where it runs.
        needs: What it takes beside what the scenario takes.
        tells_arrival: Whether it is the one that fails where a node does not reach its cell; all others are blocked.
    """

    name: str
    requirements: tuple[str, ...]
    scenario: AnyScenario
    cells: CellSelection
    needs: Needs = field(default_factory=Needs)
    tells_arrival: bool = False
