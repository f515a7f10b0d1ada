"""What the selected cases ask for: where the run stops, on which nodes, and what is done there. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from conformance.suite.case import CaseDeclaration
from conformance.suite.cells import AS_FOUND, Cell, Spot
from conformance.suite.scenario import AnyScenario, Moment


@dataclass(frozen=True)
class Stop:
    """Where a run stops to look: a wave of nodes in a cell; `str()` is its readable id."""

    cell: Cell
    wave: int

    @classmethod
    def of(cls, spot: Spot) -> Stop:
        """The stop at which a case looks; for the change of strategy the one before it."""
        return cls(spot.after or spot.cell, spot.wave)

    @property
    def changes(self) -> bool:
        """Whether the nodes are brought there; False where they are looked at as they were found."""
        return self.wave != AS_FOUND

    def __str__(self) -> str:
        return str(self.cell) if self.wave <= 1 else f"{self.cell} wave {self.wave}"


@dataclass
class Agenda:
    """What is to be done, in order; what no case looks at is not done.

    Attributes:
        stops: Scenarios by node, for each stop in the order in which the run comes there.
        switch: The change of strategy that cases watch: scenario and place by node; empty for none.
        arrival_cases: Id of the case that fails where a node does not reach its cell, by stop and node.
        arrivals: What that case looks at, by stop and node: all that is looked at on a node that does not arrive.
        cases: How many cases look at each stop; the change of strategy counts for the stop before it.
    """

    stops: dict[Stop, dict[str, list[AnyScenario]]] = field(default_factory=dict)
    switch: dict[str, tuple[AnyScenario, Spot]] = field(default_factory=dict)
    arrival_cases: dict[tuple[Stop, str], str] = field(default_factory=dict)
    arrivals: dict[tuple[Stop, str], AnyScenario] = field(default_factory=dict)
    cases: dict[Stop, int] = field(default_factory=lambda: defaultdict(int))

    @classmethod
    def of(cls, selected: Iterable[tuple[str, CaseDeclaration, Spot]]) -> Agenda:
        """Gather what cases ask for.

        Args:
            selected: Id, declaration and place of every case, in an order in which each state is visited once.
        """
        agenda = cls()
        for name, case, spot in selected:
            agenda._add(name, case, spot)
        return agenda

    @property
    def states(self) -> int:
        """How many states the nodes are brought to."""
        return sum(stop.changes for stop in self.stops)

    def scenarios(
        self, stop: Stop, node: str, *, exclusive: bool | None = None, moment: Moment | None = None
    ) -> list[AnyScenario]:
        """What is done on a node at a stop, of one kind where that is given."""
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
