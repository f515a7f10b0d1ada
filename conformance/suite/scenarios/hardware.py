"""Scenario: read the GPUs of a node, its labels, and the configurations that it offers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from conformance.cluster.errors import ClusterError
from conformance.expect.observed import Driver, ListedGpu, ObservedGpu
from conformance.spec.mig_parted import Configurations
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import Effect, Scenario


@dataclass(frozen=True)
class Hardware:
    """The GPUs of a node in a cell.

    Attributes:
        gpus: As NVML describes them.
        listing: As `nvidia-smi -L` lists them.
        driver: Versions of the driver; None if they were not read.
        labels: All labels of the node, after `limits.labels` to become as expected.
        configurations: All configurations of the mig-parted file of the node.
    """

    gpus: tuple[ObservedGpu, ...]
    listing: tuple[ListedGpu, ...]
    driver: Driver | None
    labels: Mapping[str, str]
    configurations: Configurations


class ReadHardware(Scenario[None, Hardware]):
    """Reads the GPUs through NVML and nvidia-smi in a pod of the suite."""

    summary: ClassVar = "read the GPUs with a pod"
    effect: ClassVar = Effect.WORKLOAD
    cost: ClassVar = 3.0

    def start(self, node: NodeInCell) -> None:
        """Do nothing: `Provisioner.read_gpus` reads the GPUs once per cell, for all scenarios."""

    def observe(self, node: NodeInCell, started: None) -> Hardware:
        """Return what was read."""
        del started
        if (seen := node.observed) is None:
            raise ClusterError(f"the GPUs of node {node.name} were not read in {node.cell}")
        labels = node.cluster.node(node.name).labels
        return Hardware(seen.gpus, seen.listing, seen.driver, labels, node.target.configurations)
