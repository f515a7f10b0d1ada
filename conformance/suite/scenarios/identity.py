"""Scenario: compare the UUIDs of GPUs and MIG devices across nodes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from conformance.cluster.errors import ClusterError
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import Effect, Moment, Scenario


@dataclass(frozen=True)
class Identities:
    """The identities of the GPUs and MIG devices of a node.

    Attributes:
        holders: By UUID, the nodes on which it was read, each as it was read last.
    """

    holders: Mapping[str, Sequence[str]]


class CompareIdentities(Scenario[None, Identities]):
    """Looks the UUIDs of a node up on all nodes when a cell is left: by then every node of the wave was read."""

    summary: ClassVar = "compare UUIDs across nodes"
    effect: ClassVar = Effect.WORKLOAD
    moment: ClassVar = Moment.WHEN_LEFT

    def start(self, node: NodeInCell) -> None:
        """Do nothing: `Provisioner.read_gpus` reads the GPUs once per cell, for all scenarios."""

    def observe(self, node: NodeInCell, started: None) -> Identities:
        """Return where each UUID was read."""
        del started
        if node.observed is None:
            raise ClusterError(f"the GPUs of node {node.name} were not read in {node.cell}")
        return Identities(node.holders.of(node.name))
