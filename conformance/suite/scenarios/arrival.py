"""Scenario: bring a node to a cell. Every other scenario of the cell depends on it.

The `Provisioner` does the work before any scenario starts; this one only returns the evidence.
"""

from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from conformance.cluster.errors import ClusterError
from conformance.suite.arrival import Arrival
from conformance.suite.gpu_holders import known_holders
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import Effect, Scenario


class BringToCell(Scenario[None, Arrival]):
    """Asks mig-manager for the configuration of the cell and waits until the operands are back."""

    summary: ClassVar = "set mig.config and wait for mig-manager and the operands"
    effect: ClassVar = Effect.DISRUPTIVE
    cost: ClassVar = 17.0

    def start(self, node: NodeInCell) -> None:
        """Do nothing: the provisioner has already brought the node to the cell."""

    def observe(self, node: NodeInCell, started: None) -> Arrival:
        """Return how the suite brought the node to the cell, and who kept it from that, if that is known."""
        del started
        if node.arrival is None:
            raise ClusterError(f"node {node.name} was not brought to {node.cell}: it was found there")
        reached = node.arrival.reached
        holders = () if reached else known_holders(node, node.arrival.reconfiguration.problem)
        return replace(node.arrival, holders=holders) if holders else node.arrival
