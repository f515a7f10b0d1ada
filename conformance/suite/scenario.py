"""What every scenario declares of itself, and what it has in its hands on a node.

Permissions, skips with reasons, order, progress, `-m` selection and the plan follow from the declaration.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from functools import cache
from typing import Any, ClassVar, Final, Generic, TypeVar

from conformance.cluster.pod_view import PodView
from conformance.cluster.views import NodeView
from conformance.expect.node import ExpectedNode
from conformance.operations.mig_cluster import MigCluster
from conformance.suite.arrival import Arrival
from conformance.suite.cells import Cell
from conformance.suite.observer import Observation
from conformance.suite.targets import Target
from conformance.suite.workloads import Workloads

_TIMELINE_LINES: Final = 6

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
    """When the evidence of a scenario is complete, and with it the cases that compare it; in order within a cell."""

    IN_CELL = 0
    """While the node is in the cell."""
    WHEN_LEFT = 1
    """When the node is about to leave the cell: the evidence covers the whole stay."""
    AT_SWITCH = 2
    """When the strategy has been changed."""
    AT_END = 3
    """When the last cell was visited and everything that only takes time has had it."""


@dataclass(frozen=True)
class Leaves:
    """Where a scenario leaves a node.

    Attributes:
        same_cell: The node is in the cell that it was in; False where it is in another one afterwards.
    """

    same_cell: bool = True


@dataclass(frozen=True)
class Needs:
    """What a scenario takes; a node that cannot give it is left out, with the reason in the report.

    Attributes:
        devices: Free devices of each resource, for as long as the scenario runs; 0 for none.
        gpus: GPUs of the node at the least.
        generations: Compute capabilities (major) of GPUs that it is about; empty for any.
        custom_configuration: A mig-parted ConfigMap of the user's own.
        simulator: Something that only a simulated cluster allows.
    """

    devices: int = 0
    gpus: int = 1
    generations: tuple[int, ...] = ()
    custom_configuration: bool = False
    simulator: bool = False


@dataclass
class StayTimeline:
    """The last changes of a node in a cell, for messages; those of other cells say nothing about it.

    Attributes:
        cluster: The cluster.
        node: Name of the node.
        mark: Where the timeline stood before the first change on the way into the cell.
        left: Where it stood when the node left the cell; None while it is there.
    """

    cluster: MigCluster
    node: str
    mark: int = 0
    left: int | None = None

    def __call__(self) -> list[str]:
        """One line for each of the last changes, the suite's own pods left out."""
        timeline, own = self.cluster.timeline, self.cluster.namespace
        return timeline.render(self.mark, self.left, node=self.node, last=_TIMELINE_LINES, without=own)


@dataclass
class NodeInCell:
    """A node in its cell, as a scenario works with it.

    Attributes:
        cluster: The cluster.
        target: The node, with what it offers.
        cell: The cell.
        expected: What the node must show there.
        arrival: How the suite brought it there; None where it was found there.
        workloads: Starts pods on the node.
        bystander: The user's pod on the node as it was before any change; None where the suite may not start pods.
        observed: What the GPUs said of themselves in this cell; None before they were read, or where they may not be.
        timeline: What happened to the node in this cell.
        view_when_left: The node at that moment; None while it is there.
    """

    cluster: MigCluster
    target: Target
    cell: Cell
    expected: ExpectedNode
    workloads: Workloads
    timeline: StayTimeline
    arrival: Arrival | None = None
    bystander: PodView | None = None
    observed: Observation | None = None
    view_when_left: NodeView | None = None

    @property
    def mark(self) -> int:
        """Where the timeline stood before the first change on the way here; 0 where the node was found here."""
        return self.timeline.mark

    @property
    def left(self) -> int | None:
        """Where the timeline stood when the node left the cell; None while it is there."""
        return self.timeline.left

    def leave(self) -> None:
        """Remember that the node is about to leave the cell."""
        self.timeline.left = self.cluster.timeline.mark()
        self.view_when_left = self.cluster.node(self.name)

    @property
    def name(self) -> str:
        """Name of the node."""
        return self.target.name


class Scenario(ABC, Generic[Started, Evidence]):
    """Something that is done on a node in a cell, once, on all nodes at the same time.

    Attributes:
        summary: What it does, for the plan.
        effect: What it does to a cluster.
        moment: When its evidence is complete.
        needs: What it takes.
        leaves: Where it leaves the node.
        exclusive: Whether no other scenario that uses devices may run on the node meanwhile.
        cost: Seconds that it takes at real time, beside what other scenarios of the cell take at the same time.
    """

    summary: ClassVar[str]
    effect: ClassVar[Effect]
    moment: ClassVar[Moment] = Moment.IN_CELL
    needs: ClassVar[Needs] = Needs()
    leaves: ClassVar[Leaves] = Leaves()
    exclusive: ClassVar[bool] = False
    cost: ClassVar[float] = 0.0

    @property
    def name(self) -> str:
        """Name for the plan and messages."""
        return type(self).__name__

    @abstractmethod
    def start(self, node: NodeInCell) -> Started:
        """Begin on a node and return at once; called for all scenarios of a cell before `observe` of any."""

    @abstractmethod
    def observe(self, node: NodeInCell, started: Started) -> Evidence:
        """Wait, at the scenario's moment, for what there is to be seen, and give it as plain data.

        What the product does wrong is evidence.

        Raises:
            ClusterError: The cluster could not be used.
        """


AnyScenario = Scenario[Any, Any]


@cache
def the(scenario: type[AnyScenario]) -> AnyScenario:
    """Give the one object of a scenario's class, by which all cases that look at it share its evidence."""
    return scenario()
