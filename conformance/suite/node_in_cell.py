"""A node in a cell, as scenarios use it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from conformance.cluster.pod_view import PodView
from conformance.cluster.views import NodeView
from conformance.expect.geometry import wanted_geometry
from conformance.expect.kinds import GeometryKind, geometry_kind
from conformance.expect.node import ExpectedNode
from conformance.expect.resources import above_zero, expected_resources
from conformance.expect.versions import Declared
from conformance.operations.evidence import Reconfiguration
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.reconfigure import reconfigure_node
from conformance.spec.names import MIG_CONFIG
from conformance.suite.arrival import Arrival
from conformance.suite.cells import Cell
from conformance.suite.observer import Observation
from conformance.suite.operand_warnings import OperandWarnings
from conformance.suite.targets import Target
from conformance.suite.uuid_holders import UuidHolders
from conformance.suite.workloads import Workloads

_TIMELINE_LINES: Final = 6


@dataclass
class StayTimeline:
    """Renders the last changes of a node during its stay in a cell, for messages.

    Attributes:
        cluster: The cluster.
        node: Name of the node.
        mark: Timeline mark before the first change on the way to the cell.
        left: Timeline mark when the node left the cell; None while it is there.
    """

    cluster: MigCluster
    node: str
    mark: int = 0
    left: int | None = None

    def __call__(self) -> list[str]:
        """Return one line for each of the last changes, without the pods of the suite."""
        return self.between(self.mark, self.left)

    def between(self, mark: int, end: int | None) -> list[str]:
        """The same for another part of the timeline; `end` None means no end."""
        timeline, own = self.cluster.timeline, self.cluster.namespace
        return timeline.render(mark, end, node=self.node, last=_TIMELINE_LINES, without=own)


@dataclass
class NodeInCell:
    """A node in a cell, as scenarios use it.

    Attributes:
        cluster: The cluster.
        target: The node, with what it offers.
        cell: The cell.
        expected: What the node must show there.
        arrival: How the suite brought it there; None if it was found there.
        workloads: Starts pods on the node.
        warnings: The warnings about the operands of all nodes.
        bystander: The bystander pod as it was before any change; None if the suite does not change the node.
        observed: The GPUs as read in this cell; None before that, or if the suite must not start pods on the node.
        timeline: Renders what happened to the node in this cell.
        view_when_left: The node when it left the cell; None while it is there.
        requested: Configurations that scenarios requested in this cell, in order.
        holders: The nodes of the run by the UUIDs that were read there; it grows as nodes are read.
        declared: What declares images beside the ClusterPolicy, by component; empty if the user gave no file.
        at_rest: Timeline mark when the node showed all that it must, or the limits for that had passed; 0 if the node
            was found there.
        disturbed: Whether a scenario changed the node after its stay.
        unsure: Whether a scenario that changes the node broke, and nobody knows how it left the node.
    """

    cluster: MigCluster
    target: Target
    cell: Cell
    expected: ExpectedNode
    workloads: Workloads
    warnings: OperandWarnings
    timeline: StayTimeline
    arrival: Arrival | None = None
    bystander: PodView | None = None
    observed: Observation | None = None
    view_when_left: NodeView | None = None
    requested: list[str] = field(default_factory=list)
    holders: UuidHolders = field(default_factory=UuidHolders)
    declared: Mapping[str, Declared] = field(default_factory=dict)
    at_rest: int = 0
    disturbed: bool = False
    unsure: bool = False

    @property
    def mark(self) -> int:
        """Timeline mark before the first change on the way to the cell; 0 if the node was found there."""
        return self.timeline.mark

    @property
    def left(self) -> int | None:
        """Timeline mark when the node left the cell; None while it is there."""
        return self.timeline.left

    @property
    def arrived(self) -> bool:
        """Whether the node was found in the cell, or mig-manager reported that it applied the configuration."""
        return self.arrival is None or self.arrival.reached

    @property
    def kinds(self) -> Mapping[str, GeometryKind]:
        """Kind of geometry by name, for each configuration to test on the node, if it is applied to GPUs without MIG.

        By labels until the GPUs were read.
        """
        if self.observed is None:
            return self.target.kinds
        gpus = [replace(gpu, mode=False, instances=()) for gpu in self.observed.gpus]
        entries = self.target.entries
        return {name: geometry_kind(wanted_geometry(gpus, entries(name))) for name in self.target.kinds}

    @property
    def other_configuration(self) -> str:
        """A configuration that the node offers beside the one of the cell, with MIG devices on every GPU if it can.

        Raises:
            ValueError: The node offers no other.
        """
        return self.configuration_beside(self.cell.configuration)

    def configuration_beside(self, *known: str) -> str:
        """Return a configuration that the node offers beside those, with MIG devices on every GPU if it can.

        Raises:
            ValueError: The node offers no other.
        """
        kinds = self.kinds
        order = (GeometryKind.UNIFORM, GeometryKind.UNEVEN)
        others = [name for name in kinds if name not in known]
        return min(others, key=lambda name: order.index(kinds[name]) if kinds[name] in order else len(order))

    def request(self, configuration: str) -> Reconfiguration:
        """Request a configuration, wait for the answer and for the operands, and return what happened.

        Misbehaviour of mig-manager is part of the evidence. See `conformance.operations.reconfigure`.

        Raises:
            ClusterError: The cluster could not be used.
        """
        self.requested.append(configuration)
        return reconfigure_node(self.cluster, self.name, configuration)

    def resources_of(self, configuration: str) -> Mapping[str, int]:
        """Return the resources that the node must advertise in another configuration, once its GPUs were read."""
        gpus = self.observed.gpus if self.observed else ()
        wanted = wanted_geometry(gpus, self.target.entries(configuration))
        return expected_resources(wanted, self.cell.strategy, self.expected.device_plugin)

    @property
    def largest(self) -> tuple[str, int]:
        """The resource of which the node must advertise most, and how many.

        Raises:
            ValueError: The node advertises nothing.
        """
        return max(self.expected.resources.items(), key=lambda item: item[1])

    def on_each_gpu(self, resource: str) -> list[int]:
        """Return how many devices of a resource each GPU must give."""
        expected = self.expected
        each = (expected_resources([gpu], expected.strategy, expected.device_plugin) for gpu in expected.wanted)
        return [resources.get(resource, 0) for resources in each]

    def ask(self, configuration: str) -> None:
        """Set the label `mig.config` and return at once; `request` also waits for the answer.

        Raises:
            ClusterError: The cluster could not be used.
        """
        self.requested.append(configuration)
        self.cluster.set_labels(self.name, {MIG_CONFIG: configuration})

    def read_gpus(self) -> Observation:
        """Read the GPUs as they are now with a pod; `observed` keeps what was read when the node came to its cell.

        Raises:
            ClusterError: The GPUs cannot be read.
        """
        return self.workloads.read_gpus()

    def await_resources(self, resources: Mapping[str, int]) -> NodeView:
        """Wait until the node advertises these resources and no other, or `limits.resources` has passed.

        Returns:
            The node as it was at that moment; its resources may have changed again since.
        """
        wanted = above_zero(resources)
        view = self.cluster.node(self.name)

        def is_advertised() -> bool:
            nonlocal view
            view = self.cluster.node(self.name)
            return view.advertised == wanted

        self.cluster.give_time(
            is_advertised,
            "the resources of the geometry to be advertised",
            self.cluster.limits.resources,
            node=self.name,
        )
        return view

    def leave(self) -> None:
        """Record that the node is about to leave the cell."""
        self.timeline.left = self.cluster.timeline.mark()
        self.view_when_left = self.cluster.node(self.name)

    @property
    def name(self) -> str:
        """Name of the node."""
        return self.target.name
