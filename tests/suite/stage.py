"""A provisioner that does as a test says, and an execution on it: real threads, no cluster but one in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, cast

from conformance.expect.node import ExpectedNode
from conformance.operations.evidence import Outcome
from conformance.report.run import Run
from conformance.spec.names import Strategy
from conformance.suite.agenda import Agenda
from conformance.suite.case import CaseDeclaration
from conformance.suite.cells import Cell, Spot
from conformance.suite.execution import Execution
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.planning import Planner
from conformance.suite.provisioning import Provisioner
from tests.expect.made import SEVEN, gpu
from tests.suite.made import planner, target
from tests.suite.memory import Memory
from tests.suite.nodes import arrival, node_in


class Stage:
    """The nodes of a test, and everything that was done with them.

    Attributes:
        memory: The cluster.
        done: Every step in order, as text; scenarios write theirs here as well.
        outcomes: How mig-manager answers on a node; `success` where nothing is said.
        failures: Raised by a step: by the step's text, for example `bring a to single-all-1g.10gb`.
        told: Lines of progress.
        planner: Gives cases their places.
        run: Record of the run.
    """

    def __init__(self, *nodes: str, **chosen: Any) -> None:
        self.memory = Memory()
        self.done: list[str] = []
        self.outcomes: dict[str, Outcome] = {}
        self.failures: dict[str, Exception] = {}
        self.told: list[tuple[int, int, str]] = []
        self.run = Run()
        names = nodes or ("a",)
        for name in names:
            self.memory.node(name, gpu=7)
        offered = chosen.pop("offered", ["all-1g.10gb", "all-2g.20gb"])
        self.planner: Planner = planner(*(target(name, offered) for name in names), **chosen)
        canary = chosen.get("canary") is not None
        self.execution = Execution(cast("Provisioner", self), self.run, canary=canary)
        self.execution.tell = lambda *told: self.told.append(told)

    # What execution asks of its provisioner -------------------------------------------------------------------------

    @property
    def cluster(self) -> Any:
        return self.memory.cluster

    @property
    def keeping(self) -> Stage:
        return self

    def begin(self, nodes: Iterable[str]) -> None:
        self._step(f"keep {' '.join(nodes)}")

    def change_strategy(self, strategy: Strategy) -> None:
        if self.cluster.policy().strategy != strategy:
            self._step(f"strategy {strategy}")
            self.memory.policy(mig={"strategy": str(strategy)})

    def bring(self, name: str, cell: Cell) -> NodeInCell:
        self._step(f"bring {name} to {cell}")
        outcome = self.outcomes.get(name, Outcome.SUCCESS)
        problem = "" if outcome is Outcome.SUCCESS else f"mig-manager said: {outcome}"
        came = arrival(outcome, problem=problem, manager_log=(f"log of {name} at {cell}",))
        return node_in(self.memory, str(cell), name, came=came, mark=self.cluster.timeline.mark())

    def find(self, name: str, cell: Cell) -> NodeInCell:
        self._step(f"find {name} in {cell}")
        return node_in(self.memory, str(cell), name)

    def return_to_cell(self, node: NodeInCell) -> None:
        self._step(f"return {node.name} to {node.cell}")

    def forget(self, name: str) -> None:
        self._step(f"forget {name}")

    @property
    def targets(self) -> Any:
        return self.planner.targets

    def settle_resources(self, node: NodeInCell) -> None:
        del node

    def read_gpus(self, node: NodeInCell, work: Callable[[], None]) -> None:
        work()
        self._step(f"read {node.name} in {node.cell}")
        node.observed = node_in(self.memory, seen=(gpu(SEVEN),)).observed

    def settle_labels(self, node: NodeInCell) -> None:
        del node

    # What a test does -----------------------------------------------------------------------------------------------

    def selected(self, *cases: CaseDeclaration) -> list[tuple[CaseDeclaration, Spot]]:
        """The cases at all their places, in the order of the plan."""
        pairs = self.planner.once((case, spot) for case in cases for spot in self.planner.spots(case))
        ranks = self.planner.order(pairs)
        return sorted(pairs, key=lambda pair: ranks[pair])

    def follow(self, *cases: CaseDeclaration) -> list[tuple[CaseDeclaration, Spot]]:
        """Select the cases, and give them in order."""
        pairs = self.selected(*cases)
        self.execution.follow(Agenda.of((identify(case, spot), case, spot) for case, spot in pairs))
        return pairs

    def ask(self, case: CaseDeclaration, spot: Spot) -> tuple[ExpectedNode, Any]:
        """Ask for the evidence of one case."""
        return self.execution.evidence(identify(case, spot), case, spot)

    def play(self, *cases: CaseDeclaration) -> dict[str, Any]:
        """Select the cases and ask for the evidence of each, in order; gives evidence or error by the case's id."""
        answers: dict[str, Any] = {}
        for case, spot in self.follow(*cases):
            try:
                answers[identify(case, spot)] = self.ask(case, spot)[1]
            except Exception as error:  # noqa: BLE001 - what a case is told is what tests look at
                answers[identify(case, spot)] = error
        return answers

    def steps(self, *kinds: str) -> list[str]:
        """The steps of these kinds: `bring`, `strategy`, `start`, ..."""
        return [step for step in self.done if step.split()[0] in kinds]

    def _step(self, text: str) -> None:
        self.done.append(text)
        if (failure := self.failures.get(text)) is not None:
            raise failure


def identify(case: CaseDeclaration, spot: Spot) -> str:
    """Id of a case as pytest makes it."""
    return f"{case.name}[{spot}]"
