"""The interface of scenarios: what a scenario declares, and what it does on a node.

Required permissions, reasons for skips, order, `-m` selection and the plan follow from the declaration.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import cache
from typing import Any, ClassVar, Generic, TypeVar

from conformance.operations.mig_cluster import MigCluster
from conformance.suite.node_in_cell import NodeInCell

Nodes = Mapping[str, NodeInCell]
Started = TypeVar("Started")
Evidence = TypeVar("Evidence")


class Effect(StrEnum):
    """What a scenario does to a cluster; the value is its marker."""

    READONLY = "readonly"
    """Reads and nothing else."""
    WORKLOAD = "workload"
    """Starts pods of the suite."""
    DISRUPTIVE = "disruptive"
    """Changes node labels, which reconfigures GPUs."""
    CLUSTER_WIDE = "cluster_wide"
    """Changes the strategy, which restarts operands on every GPU node."""
    REBOOT = "reboot"
    """Reboots nodes."""


class Moment(IntEnum):
    """When the evidence of a scenario is complete, so that its cases can run. Values are in order of time."""

    IN_CELL = 0
    """While the node is in the cell."""
    WHEN_LEFT = 1
    """When the node is about to leave the cell: the evidence covers the whole stay."""
    AT_SWITCH = 2
    """When the strategy has been changed."""
    AT_END = 3
    """After the last cell was visited and kubelet's grace for removed resources has passed."""


@dataclass(frozen=True)
class Leaves:
    """Where a scenario leaves a node.

    Attributes:
        same_cell: Whether the node is still in the same cell afterwards.
    """

    same_cell: bool = True


@dataclass(frozen=True)
class Needs:
    """What a node must have for a scenario or a case. On other nodes the case is skipped, with the reason.

    Attributes:
        devices: Devices that the node must advertise of at least one resource; 0 for none.
        neighbours: Whether a GPU must have two devices of the resource of which the node has most.
        configurations: Number of configurations that the node must offer: that of the cell and others to change to.
        gpus: Minimum number of GPUs of the node.
        generations: Major compute capabilities, of which the node must have a GPU; empty for any.
        custom_configuration: Whether the ClusterPolicy must name a custom mig-parted ConfigMap.
        default_configuration: Whether the operator must set a default on nodes without `mig.config`.
        built_in_configurations: Whether the configurations of the node must be the built-in ones.
        node_without_mig: Whether the cluster must have another node, without a GPU that can do MIG.
        execute: Whether the suite must be allowed to run programs in pods of the operator.
        applied: Whether mig-manager must have applied the configuration that the label of the node names.
        counted: Whether labels alone must tell the number of GPUs, as they do if all GPUs of the node are of one model.
        no_plugin_files: Whether the device plugin must have no files of the user's, which nodes could choose.
        operator_ignores_removal: Whether the operator must be one that does not write its default at every event while
            the label `mig.config` is missing: v26.7.0.
        operator_pod: Whether the operator must run as a pod in its namespace.
        feature_discovery_pods: Whether Node Feature Discovery's pods must run in the operator's namespace.
        simulator: Whether the scenario works on a simulated cluster only.
    """

    devices: int = 0
    neighbours: bool = False
    configurations: int = 1
    gpus: int = 1
    generations: tuple[int, ...] = ()
    custom_configuration: bool = False
    default_configuration: bool = False
    built_in_configurations: bool = False
    node_without_mig: bool = False
    execute: bool = False
    applied: bool = False
    counted: bool = False
    no_plugin_files: bool = False
    operator_ignores_removal: bool = False
    operator_pod: bool = False
    feature_discovery_pods: bool = False
    simulator: bool = False


class Scenario(ABC, Generic[Started, Evidence]):
    """An action that runs once on each node in a cell, in parallel on all nodes of a wave, and gives evidence.

    Attributes:
        summary: What it does, in the imperative; shown by `--plan` and in the catalogue.
        effect: What it does to a cluster.
        moment: When its evidence is complete.
        needs: What the node must have.
        leaves: In which cell it leaves the node.
        exclusive: Whether no other scenario may run on the node at the same time. If its effect is more than
            `WORKLOAD`, the stay of the node in its cell ends before the first such scenario starts.
        changes: What it changes beyond labels of the node and pods of the suite; shown by `--plan`.
        cluster_wide_to: What it needs `--allow-cluster-wide` for, if it does.
        full_profile_only: Whether its cases are left out of `--profile core`.
        as_found: Whether it looks at every node once, before the run changes anything, whatever configuration it has.
        cost: Seconds that it takes on real hardware when it runs alone; for the estimate of `--plan`.
    """

    summary: ClassVar[str]
    effect: ClassVar[Effect]
    moment: ClassVar[Moment] = Moment.IN_CELL
    needs: ClassVar[Needs] = Needs()
    leaves: ClassVar[Leaves] = Leaves()
    exclusive: ClassVar[bool] = False
    as_found: ClassVar[bool] = False
    changes: ClassVar[Sequence[str]] = ()
    cluster_wide_to: ClassVar[str] = "change the strategy"
    full_profile_only: ClassVar[bool] = False
    cost: ClassVar[float] = 0.0

    @property
    def name(self) -> str:
        """Name for the plan and messages."""
        return type(self).__name__

    @property
    def ends_stay(self) -> bool:
        """Whether the stay of the node in its cell ends before this scenario: it writes labels or changes the node."""
        return self.exclusive and self.effect not in (Effect.READONLY, Effect.WORKLOAD)

    @abstractmethod
    def start(self, node: NodeInCell) -> Started:
        """Begin on a node without waiting.

        All shared scenarios of a cell are started before the first of them is observed, so their pods start together.
        """

    @abstractmethod
    def observe(self, node: NodeInCell, started: Started) -> Evidence:
        """Wait for the result at the moment of the scenario, and return it as plain data.

        Wrong behaviour of the product is evidence, not an error.

        Raises:
            ClusterError: The cluster could not be used.
        """


class FailureScenario(Scenario[Started, Evidence]):
    """A scenario that provokes a failure or interrupts the life of a node, and ends with the node in its cell again.

    It runs alone on the node after all other scenarios of the cell, and belongs to `--profile full`. Use
    `NodeInCell.request` to ask for configurations. The way back to the cell is part of the evidence.
    """

    effect: ClassVar = Effect.DISRUPTIVE
    exclusive: ClassVar = True
    full_profile_only: ClassVar = True


class ClusterScenario(Scenario[Started, Evidence]):
    """A scenario that changes the cluster for all of its nodes at once, and takes the change back.

    It runs when every node of the stop has finished its own scenarios. The steps, in order, of which those on nodes
    run in parallel: `start` on each node, `change`, `observe` on each node, `undo`, `settle` on each node. `undo` runs
    even if an earlier step failed.
    """

    effect: ClassVar = Effect.CLUSTER_WIDE
    exclusive: ClassVar = True
    full_profile_only: ClassVar = True

    @abstractmethod
    def change(self, cluster: MigCluster, nodes: Nodes) -> None:
        """Change the cluster.

        Args:
            cluster: The cluster.
            nodes: The nodes where `start` succeeded, by name. All of them are in the same cell.

        Raises:
            ClusterError: The cluster could not be used.
        """

    @abstractmethod
    def undo(self, cluster: MigCluster, nodes: Nodes) -> None:
        """Take the change back; the arguments are those of `change`, which may not have been made.

        Raises:
            ClusterError: The cluster could not be used.
        """

    def settle(self, node: NodeInCell, evidence: Evidence) -> Evidence:
        """Wait until the node is in its cell again, and complete the evidence with what was seen on the way."""
        del node
        return evidence


AnyScenario = Scenario[Any, Any]
AnyClusterScenario = ClusterScenario[Any, Any]


@cache
def the(scenario: type[AnyScenario]) -> AnyScenario:
    """Return the single instance of a scenario class.

    Evidence is stored by instance: cases with the same scenario share one, so the scenario runs once for all of them.
    """
    return scenario()
