"""The change of strategy that cases watch: made once, for all nodes."""

from __future__ import annotations

from typing import Any

from conformance.operations.side_by_side import results, side_by_side
from conformance.suite.agenda import Agenda, Stop
from conformance.suite.provisioning import Provisioner
from conformance.suite.scenario import NodeInCell
from conformance.suite.visit import Visit


class Switching:
    """Changes the strategy while the scenario of every node watches.

    Args:
        agenda: What is to be done.
        provisioner: Changes the strategy.

    Attributes:
        made: Whether it was done, or tried.
        error: What it ended with; None where it went well so far.
    """

    def __init__(self, agenda: Agenda, provisioner: Provisioner) -> None:
        self._agenda = agenda
        self._provisioner = provisioner
        self._evidence: dict[str, Any] = {}
        self.made = False
        self.error: Exception | None = None

    def stops(self) -> list[Stop]:
        """Where the nodes must be before."""
        return list(dict.fromkeys(Stop.of(spot) for _, spot in self._agenda.switch.values()))

    def make(self, visits: dict[Stop, Visit]) -> None:
        """Begin on every node, change the strategy when all have begun, and observe.

        Args:
            visits: The stops that the nodes are at.

        Raises:
            ClusterError: The cluster could not be used.
        """
        cluster, nodes = self._provisioner.cluster, self._nodes(visits)
        (strategy,) = {spot.cell.strategy for _, spot in self._agenda.switch.values()}
        scenarios = {name: scenario for name, (scenario, _) in self._agenda.switch.items()}
        try:
            started = results(side_by_side(cluster, nodes, lambda name: scenarios[name].start(nodes[name])))
            self._provisioner.change_strategy(strategy)
            self._evidence = side_by_side(
                cluster, nodes, lambda name: scenarios[name].observe(nodes[name], started[name])
            )
        finally:
            results(side_by_side(cluster, nodes, lambda name: nodes[name].workloads.remove()))

    def evidence(self, node: str) -> Any:
        """What the scenario gave on a node, or the error that it ended with; None where it was not done there."""
        return self._evidence.get(node)

    def _nodes(self, visits: dict[Stop, Visit]) -> dict[str, NodeInCell]:
        """Those that did reach their cell; of the others the case that tells of it says so."""
        nodes = {}
        for name, (_, spot) in self._agenda.switch.items():
            node = visits[Stop.of(spot)].nodes.get(name)
            if node is not None and node.arrival is not None and node.arrival.reached:
                nodes[name] = node
        return nodes
