"""Scenario: compare the UUIDs of GPUs and MIG devices across nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from conformance.cluster.errors import ClusterError
from conformance.suite.scenario import Effect, Moment, NodeInCell, Scenario


@dataclass(frozen=True)
class Identities:
    """The identities of the GPUs of the cluster.

    Attributes:
        uuids: UUIDs of GPUs and MIG devices by node, of every node that was read so far, as it was read last.
    """

    uuids: Mapping[str, frozenset[str]]


class CompareIdentities(Scenario[None, Identities]):
    """Gathers the UUIDs of all nodes when a cell is left: by then every node of the wave was read."""

    summary: ClassVar = "compare UUIDs across nodes"
    effect: ClassVar = Effect.WORKLOAD
    moment: ClassVar = Moment.WHEN_LEFT

    def start(self, node: NodeInCell) -> None:
        """Do nothing: `Provisioner.read_gpus` reads the GPUs once per cell, for all scenarios."""

    def observe(self, node: NodeInCell, started: None) -> Identities:
        """Return the UUIDs of all nodes."""
        del started
        if node.observed is None:
            raise ClusterError(f"the GPUs of node {node.name} were not read in {node.cell}")
        seen = {**node.observations, node.name: node.observed}
        return Identities({name: observation.uuids for name, observation in seen.items()})
