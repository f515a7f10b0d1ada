"""What the selected cases require: the stops of the run, their nodes, and the scenarios at each.

This module does not access the cluster.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from conformance.suite.case import CaseDeclaration
from conformance.suite.cells import AS_FOUND, Cell, Spot
from conformance.suite.scenario import AnyScenario, Moment


@dataclass(frozen=True)
class Stop:
    """A wave of nodes in a cell, where the run gathers evidence; `str()` gives a readable id."""

    cell: Cell
    wave: int

    @classmethod
    def of(cls, spot: Spot) -> Stop:
        """Return the stop that a case belongs to; for the change of strategy, the stop before the change."""
        return cls(spot.after or spot.cell, spot.wave)

    @property
    def changes(self) -> bool:
        """Whether the suite changes the nodes; False if it only reads them in the state in which they were found."""
        return self.wave != AS_FOUND

    def __str__(self) -> str:
        return str(self.cell) if self.wave <= 1 else f"{self.cell} wave {self.wave}"


@dataclass
class Agenda:
    """The work of a run, in order; it holds only what a selected case needs.

    Attributes:
        stops: Scenarios by node for each stop, in the order in which the run visits the stops.
        switch: Scenario and place by node for the change of strategy; empty if no selected case watches one.
        arrival_cases: Id of the case that fails where a node does not reach its cell, by stop and node.
        arrivals: Scenario of that case, by stop and node: the only one observed on a node that does not arrive.
        cases: Number of cases for each stop; cases of the change of strategy count for the stop before it.
    """

    stops: dict[Stop, dict[str, list[AnyScenario]]] = field(default_factory=dict)
    switch: dict[str, tuple[AnyScenario, Spot]] = field(default_factory=dict)
    arrival_cases: dict[tuple[Stop, str], str] = field(default_factory=dict)
    arrivals: dict[tuple[Stop, str], AnyScenario] = field(default_factory=dict)
    cases: dict[Stop, int] = field(default_factory=lambda: defaultdict(int))

    @classmethod
    def of(cls, selected: Iterable[tuple[str, CaseDeclaration, Spot]]) -> Agenda:
        """Build the agenda from the selected cases.

        Args:
            selected: Id, declaration and place of every case, in an order in which each state is visited once.
        """
        agenda = cls()
        for name, case, spot in selected:
            agenda._add(name, case, spot)
        return agenda

    @property
    def states(self) -> int:
        """Number of stops at which the suite changes nodes."""
        return sum(stop.changes for stop in self.stops)

    def scenarios(
        self, stop: Stop, node: str, *, exclusive: bool | None = None, moment: Moment | None = None
    ) -> list[AnyScenario]:
        """Return the scenarios for a node at a stop.

        Args:
            stop: The stop.
            node: Name of the node.
            exclusive: Only exclusive (True) or shared (False) scenarios; None for both.
            moment: Only scenarios whose evidence is complete at this moment; None for all.
        """
        return [
            scenario
            for scenario in self.stops.get(stop, {}).get(node, ())
            if exclusive in (None, scenario.exclusive) and moment in (None, scenario.moment)
        ]

    def _add(self, name: str, case: CaseDeclaration, spot: Spot) -> None:
        stop = Stop.of(spot)
        self.cases[stop] += 1
        wanted = self.stops.setdefault(stop, {}).setdefault(spot.node, [])
        if spot.after is not None:
            self.switch[spot.node] = (case.scenario, spot)
        elif case.scenario not in wanted:
            wanted.append(case.scenario)
        if case.tells_arrival:
            self.arrival_cases[stop, spot.node] = name
            self.arrivals[stop, spot.node] = case.scenario
