"""The change of strategy that cases watch: one change for all nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance.operations.errors import NodeLostError
from conformance.operations.side_by_side import results, side_by_side
from conformance.suite.agenda import Agenda, Stop
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.provisioning import Provisioner
from conformance.suite.visit import Visit


class Switching:
    """Changes the strategy while a scenario watches on every node.

    Args:
        agenda: The work of the run.
        provisioner: Changes the strategy.

    Attributes:
        made: Whether the change was made or attempted.
        error: What the attempt raised; None if it has not failed.
    """

    def __init__(self, agenda: Agenda, provisioner: Provisioner) -> None:
        self._agenda = agenda
        self._provisioner = provisioner
        self._evidence: dict[str, Any] = {}
        self.made = False
        self.error: Exception | None = None

    def stops(self) -> list[Stop]:
        """The stops that the nodes must be at before the change."""
        return list(dict.fromkeys(Stop.of(spot) for _, spot in self._agenda.switch.values()))

    def make(self, visits: dict[Stop, Visit]) -> None:
        """Start the scenario on every node, then change the strategy, then observe on every node.

        Args:
            visits: The stops that the nodes are at.

        Raises:
            ClusterError: The cluster could not be used.
        """
        cluster, nodes = self._provisioner.cluster, self._nodes(visits)
        (strategy,) = {spot.cell.strategy for _, spot in self._agenda.switch.values()}
        scenarios = {name: scenario for name, (scenario, _) in self._agenda.switch.items()}
        try:
            started = self._keep(side_by_side(cluster, nodes, lambda name: scenarios[name].start(nodes[name])))
            self._provisioner.change_strategy(strategy)
            self._evidence |= side_by_side(
                cluster, started, lambda name: scenarios[name].observe(nodes[name], started[name])
            )
        finally:
            self._keep(side_by_side(cluster, nodes, lambda name: nodes[name].workloads.remove()))

    def _keep(self, outcomes: Mapping[str, Any]) -> dict[str, Any]:
        """Return what was done on each node. A node that was lost keeps its error as evidence; others go on."""
        lost = {name: outcome for name, outcome in outcomes.items() if isinstance(outcome, NodeLostError)}
        self._evidence |= lost
        return results({name: outcome for name, outcome in outcomes.items() if name not in lost})

    def evidence(self, node: str) -> Any:
        """Return the evidence of a node, or the error that its scenario raised; None if it did not run there."""
        return self._evidence.get(node)

    def _nodes(self, visits: dict[Stop, Visit]) -> dict[str, NodeInCell]:
        """Nodes that reached their cell, by name; for the others another case reports the failure."""
        nodes = {}
        for name, (_, spot) in self._agenda.switch.items():
            node = visits[Stop.of(spot)].nodes.get(name)
            if node is not None and node.arrival is not None and node.arrival.reached:
                nodes[name] = node
        return nodes
