"""One stop of a run: the scenarios that are done there, and what they gave."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from conformance.cluster.errors import UnreachableError
from conformance.operations.errors import ForeignChangeError, LeaseHeldError
from conformance.suite.agenda import Agenda, Stop
from conformance.suite.scenario import AnyScenario, Moment, Needs, NodeInCell

ENDS_THE_RUN = (ForeignChangeError, LeaseHeldError, UnreachableError)
"""Errors after which nothing that the cluster shows says anything of it."""


@dataclass
class Visit:
    """One stop, while the run is there and afterwards for what is judged at the end.

    What a scenario ends with is kept as evidence, errors as well: they are reported by the first case that looks.

    Attributes:
        stop: Where.
        agenda: What is to be done there.
        nodes: The nodes, once they are there.
        broken: What ended the way of a node or the look at it, by name.
        left: Whether the nodes are about to go to the next cell.
    """

    stop: Stop
    agenda: Agenda
    nodes: dict[str, NodeInCell] = field(default_factory=dict)
    broken: dict[str, Exception] = field(default_factory=dict)
    left: bool = False
    _started: dict[tuple[AnyScenario, str], Any] = field(default_factory=dict)
    _evidence: dict[tuple[AnyScenario, str], Any] = field(default_factory=dict)

    def start(self, node: NodeInCell, *, exclusive: bool | None = None) -> None:
        """Begin every scenario of the node; what it cannot give what it takes is left out."""
        self._start(node, self.agenda.scenarios(self.stop, node.name, exclusive=exclusive))

    def observe(self, node: NodeInCell, moment: Moment, *, exclusive: bool | None = None) -> None:
        """Complete the evidence of the scenarios whose moment has come."""
        self._observe(node, self.agenda.scenarios(self.stop, node.name, exclusive=exclusive, moment=moment))

    def look_at_arrival(self, node: NodeInCell) -> None:
        """Complete, on a node that did not arrive, the evidence of how it did not; nothing else is looked at."""
        if (scenario := self.agenda.arrivals.get((self.stop, node.name))) is not None:
            self._start(node, [scenario])
            self._observe(node, [scenario])

    def do_exclusive(self, node: NodeInCell) -> None:
        """Do, one after another, what must have the node for itself."""
        for scenario in self.agenda.scenarios(self.stop, node.name, exclusive=True):
            try:
                self._start(node, [scenario])
                self._observe(node, [scenario])
            finally:
                node.workloads.remove()

    def leave(self) -> None:
        """Complete the evidence of the stay; the nodes stay where they are until the next stop."""
        if self.left:
            return
        self.left = True
        for node in self.nodes.values():
            node.leave()
            if node.arrival is None or node.arrival.reached:
                self.observe(node, Moment.WHEN_LEFT)

    def forget_details(self) -> None:
        """Forget the evidence that no case asks for once the stop was left: it would only take memory."""
        self._evidence = {key: found for key, found in self._evidence.items() if key[0].moment is Moment.AT_END}

    def evidence(self, scenario: AnyScenario, node: str) -> Any:
        """What a scenario gave on a node, or the error that it ended with; None where it was not done there."""
        return self._evidence.get((scenario, node))

    def _start(self, node: NodeInCell, scenarios: Iterable[AnyScenario]) -> None:
        for scenario in scenarios:
            if unmet(scenario.needs, node) is None:
                key = (scenario, node.name)
                self._keep(self._started, key, partial(scenario.start, node))

    def _observe(self, node: NodeInCell, scenarios: Iterable[AnyScenario]) -> None:
        for scenario in scenarios:
            key = (scenario, node.name)
            if key in self._started and key not in self._evidence:
                started = self._started[key]
                self._keep(self._evidence, key, partial(scenario.observe, node, started))

    def _keep(
        self, where: dict[tuple[AnyScenario, str], Any], key: tuple[AnyScenario, str], work: Callable[[], Any]
    ) -> None:
        try:
            where[key] = work()
        except ENDS_THE_RUN:
            raise
        except Exception as error:  # noqa: BLE001 - whatever broke is told by the first case that looks at it
            self._evidence[key] = error


def unmet(needs: Needs, node: NodeInCell) -> str | None:
    """Say what a node lacks; None where it has everything."""
    gpus, resources = node.expected.wanted, node.expected.resources
    if needs.devices > max(resources.values(), default=0):
        listed = ", ".join(f"{count} x {name}" for name, count in sorted(resources.items())) or "no resource"
        return f"node {node.name} has {listed}: {needs.devices} of one resource are needed"
    if needs.gpus > len(gpus):
        return f"node {node.name} has {len(gpus)} GPUs: {needs.gpus} are needed"
    if needs.generations and node.observed is not None:
        found = {gpu.capability[0] for gpu in node.observed.gpus}
        if not found.intersection(needs.generations):
            return f"node {node.name} has no GPU of compute capability {', '.join(map(str, needs.generations))}"
    if needs.custom_configuration and not node.cluster.policy().config_name:
        return "the cluster has no mig-parted ConfigMap of the user's own"
    return None
