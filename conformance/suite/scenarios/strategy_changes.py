"""Scenarios: change the strategy of the cluster while nodes keep their geometry, and change it back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar

from conformance.expect.kinds import GeometryKind
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.side_by_side import results, side_by_side
from conformance.operations.strategy import change_strategy
from conformance.spec.mig_parted import Entry
from conformance.spec.names import DEVICE_PLUGIN_APP, Strategy
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import ClusterScenario, Nodes
from conformance.suite.under_strategy import Pods, UnderStrategy, carriers, read_under

_CHANGES = ("ClusterPolicy spec.mig.strategy, which restarts operands on every GPU node",)
UNSET = ""


@dataclass(frozen=True)
class ThereAndBack:
    """A node under the other strategy, and under the strategy of its cell again.

    Attributes:
        there: Under the other one.
        back: Under the one of the cell; empty before the change back.
    """

    there: UnderStrategy
    back: UnderStrategy = field(default_factory=UnderStrategy)


@dataclass(frozen=True)
class WithoutMigStrategy:
    """A node under strategies that do not advertise MIG devices.

    Attributes:
        none: Under `none`.
        unset: Without a strategy in the ClusterPolicy.
        own: The strategy of the node then: that of its file of the device plugin, and `none` without one.
    """

    none: UnderStrategy
    unset: UnderStrategy
    own: Strategy


@dataclass(frozen=True)
class SingleOverUneven:
    """A node with several profiles after a change to `single`, and once its layout is uniform.

    Attributes:
        effective: Strategy of the device plugin on the node: `mixed` if its roll stopped at another node, where the new
            pod does not become Ready.
        uneven: With several profiles.
        name: Name of the uniform configuration that was requested then.
        entries: Its entries.
        uniform: After it.
    """

    effective: Strategy
    uneven: UnderStrategy
    name: str
    entries: tuple[Entry, ...]
    uniform: UnderStrategy


class ChangeStrategy(ClusterScenario[Pods, ThereAndBack]):
    """Changes to the other strategy, reads every node, changes back, and reads every node again."""

    summary: ClassVar = "change the strategy and change it back, and read operands, resources, labels and GPUs"
    changes: ClassVar = _CHANGES
    cost: ClassVar = 35.0

    def start(self, node: NodeInCell) -> Pods:
        """Note the pods of the operands."""
        return carriers(node)

    def change(self, cluster: MigCluster, nodes: Nodes) -> None:
        """Change to the other strategy."""
        change_strategy(cluster, _strategy(nodes).other)

    def observe(self, node: NodeInCell, started: Pods) -> ThereAndBack:
        """Read the node under the other strategy."""
        gpus = node.observed.gpus if node.observed else ()
        other = node.cell.strategy.other
        return ThereAndBack(read_under(node, node.expected.under(other, gpus), other, started, gpus))

    def undo(self, cluster: MigCluster, nodes: Nodes) -> None:
        """Change back."""
        change_strategy(cluster, _strategy(nodes))

    def settle(self, node: NodeInCell, evidence: ThereAndBack) -> ThereAndBack:
        """Read the node under the strategy of its cell."""
        there, own = evidence.there, node.cell.strategy
        back = read_under(node, node.expected.under(own, there.gpus), own, there.pods, there.gpus)
        return replace(evidence, back=back)


class UnsetStrategy(ClusterScenario[Pods, WithoutMigStrategy]):
    """Sets `none`, then removes the strategy from the ClusterPolicy, and sets the strategy of the cell again."""

    summary: ClassVar = "set strategy none, then no strategy at all, and read operands, resources, labels and GPUs"
    changes: ClassVar = _CHANGES
    cost: ClassVar = 50.0

    def __init__(self) -> None:
        self._none: Mapping[str, UnderStrategy] = {}

    def start(self, node: NodeInCell) -> Pods:
        """Note the pods of the operands."""
        return carriers(node)

    def change(self, cluster: MigCluster, nodes: Nodes) -> None:
        """Set `none`, read every node, and remove the strategy."""
        pods = {name: carriers(node) for name, node in nodes.items()}
        change_strategy(cluster, Strategy.NONE)
        self._none = results(side_by_side(cluster, nodes, lambda name: _read_none(nodes[name], pods[name])))
        change_strategy(cluster, UNSET)

    def observe(self, node: NodeInCell, started: Pods) -> WithoutMigStrategy:
        """Read the node without a strategy."""
        del started
        none, own = self._none[node.name], node.target.own_strategy
        unset = read_under(node, node.expected.under(own, none.gpus), UNSET, none.pods, none.gpus)
        return WithoutMigStrategy(none, unset, own)

    def undo(self, cluster: MigCluster, nodes: Nodes) -> None:
        """Set the strategy of the cell."""
        change_strategy(cluster, _strategy(nodes))


class SwitchOverUneven(ClusterScenario[Pods, SingleOverUneven]):
    """Changes to `single` while the nodes have several profiles, then makes their layout uniform."""

    summary: ClassVar = "change to single over an uneven layout, then make the layout uniform"
    changes: ClassVar = _CHANGES
    cost: ClassVar = 240.0

    def start(self, node: NodeInCell) -> Pods:
        """Note the pods of the operands."""
        return carriers(node)

    def change(self, cluster: MigCluster, nodes: Nodes) -> None:
        """Change to `single`; the roll of the device plugin stops at the first node."""
        del nodes
        change_strategy(cluster, Strategy.SINGLE)

    def observe(self, node: NodeInCell, started: Pods) -> SingleOverUneven:
        """Read the node, request a uniform configuration, and read it again."""
        gpus = node.observed.gpus if node.observed else ()
        reached = carriers(node).get(DEVICE_PLUGIN_APP) != started.get(DEVICE_PLUGIN_APP)
        effective = Strategy.SINGLE if reached else node.cell.strategy
        uneven = read_under(node, node.expected.under(effective, gpus), Strategy.SINGLE, started, gpus)
        name = _even(node)
        entries = node.target.entries(name)
        node.request(name)
        expected = node.expected.under(Strategy.SINGLE, gpus).asked_for(name, gpus, entries)
        uniform = read_under(node, expected, Strategy.SINGLE, started, gpus)
        return SingleOverUneven(effective, uneven, name, entries, uniform)

    def undo(self, cluster: MigCluster, nodes: Nodes) -> None:
        """Change back to `mixed`."""
        change_strategy(cluster, _strategy(nodes))

    def settle(self, node: NodeInCell, evidence: SingleOverUneven) -> SingleOverUneven:
        """Request the configuration of the cell again."""
        node.request(node.cell.configuration)
        return evidence


def _strategy(nodes: Nodes) -> Strategy:
    """Return the strategy of the cell that all nodes are in."""
    (strategy,) = {node.cell.strategy for node in nodes.values()}
    return strategy


def _read_none(node: NodeInCell, pods: Pods) -> UnderStrategy:
    gpus = node.observed.gpus if node.observed else ()
    return read_under(node, node.expected.under(Strategy.NONE, gpus), Strategy.NONE, pods, gpus)


def _even(node: NodeInCell) -> str:
    """Return a configuration that `single` can advertise: of one profile, or without MIG on GPUs of unlike models."""
    kinds = node.kinds
    even = {name for name, kind in kinds.items() if kind in (GeometryKind.UNIFORM, GeometryKind.OFF)}
    return min(even, key=lambda name: (kinds[name] is GeometryKind.OFF, name))
