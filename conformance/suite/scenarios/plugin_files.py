"""Scenario: one node chooses another strategy than the others, by a file of the device plugin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from conformance.operations.manager_file import put_config_map
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.plugin_files import use_plugin_files
from conformance.operations.side_by_side import results, side_by_side
from conformance.operations.strategy import change_strategy
from conformance.spec.names import DEVICE_PLUGIN_CONFIG, Strategy
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import ClusterScenario, Needs, Nodes
from conformance.suite.under_strategy import Pods, UnderStrategy, carriers, read_under

PLUGIN_FILES: Final = "mig-conformance-plugin-config"
"""ConfigMap of the suite in the operator's namespace, with a file for each strategy."""
_FILES: Final = {
    strategy.value: f"version: v1\nflags:\n  migStrategy: {strategy.value}\n"
    for strategy in (Strategy.SINGLE, Strategy.MIXED)
}


@dataclass(frozen=True)
class ChosenStrategy:
    """A node while the device plugin has files, of which one node chooses that of the other strategy.

    Attributes:
        chosen: The strategy of its file: that of the cell, which is the default, unless the node has chosen.
        policy: While the ClusterPolicy has the strategy of the cell.
        file: While the ClusterPolicy has no strategy.
        default: While the ClusterPolicy has no strategy, and the node has chosen no file any more.
        back: When everything was as before; as `default` until then.
    """

    chosen: Strategy
    policy: UnderStrategy
    file: UnderStrategy
    default: UnderStrategy
    back: UnderStrategy


class ChooseByNode(ClusterScenario[Pods, ChosenStrategy]):
    """Names files for the device plugin, lets the first node choose, and removes the strategy of the ClusterPolicy."""

    summary: ClassVar = "let one node choose its strategy by a file of the device plugin, with and without a common one"
    needs: ClassVar = Needs(no_plugin_files=True)
    changes: ClassVar = (
        f"ConfigMap {PLUGIN_FILES} in the operator's namespace, with a file for each strategy",
        "ClusterPolicy spec.devicePlugin.config and spec.mig.strategy, which restarts operands on every GPU node",
        f"label {DEVICE_PLUGIN_CONFIG} of one node",
    )
    cost: ClassVar = 85.0

    def __init__(self) -> None:
        self._policy: Mapping[str, UnderStrategy] = {}
        self._chooser = ""

    def start(self, node: NodeInCell) -> Pods:
        """Note the pods of the operands."""
        return carriers(node)

    def change(self, cluster: MigCluster, nodes: Nodes) -> None:
        """Name the files, read every node, and remove the strategy."""
        own = _strategy(nodes)
        self._chooser = min(nodes)
        put_config_map(cluster, PLUGIN_FILES, _FILES)
        cluster.set_labels(self._chooser, {DEVICE_PLUGIN_CONFIG: own.other.value})
        use_plugin_files(cluster, {"name": PLUGIN_FILES, "default": own.value})
        self._policy = results(side_by_side(cluster, nodes, lambda name: _read(nodes[name], own, own)))
        change_strategy(cluster, "")

    def observe(self, node: NodeInCell, started: Pods) -> ChosenStrategy:
        """Read the node under the strategy of its file, and under that of the default file where it has chosen one."""
        del started
        own = node.cell.strategy
        chosen = own.other if node.name == self._chooser else own
        seen = default = _read(node, chosen, "")
        if node.name == self._chooser:
            node.cluster.set_labels(node.name, {DEVICE_PLUGIN_CONFIG: None})
            default = _read(node, own, "")
        return ChosenStrategy(chosen, self._policy[node.name], seen, default, default)

    def undo(self, cluster: MigCluster, nodes: Nodes) -> None:
        """Set the strategy of the cell, then take files and label away."""
        change_strategy(cluster, _strategy(nodes))
        if cluster.policy().plugin_config == PLUGIN_FILES:
            use_plugin_files(cluster, None)
        if self._chooser in nodes:
            cluster.set_labels(self._chooser, {DEVICE_PLUGIN_CONFIG: None})

    def settle(self, node: NodeInCell, evidence: ChosenStrategy) -> ChosenStrategy:
        """Read the node in its cell."""
        own = node.cell.strategy
        return replace(evidence, back=_read(node, own, own))


def _read(node: NodeInCell, effective: Strategy, named: str) -> UnderStrategy:
    """Read the node once it is as under a strategy, of which the ClusterPolicy names `named`."""
    gpus = node.observed.gpus if node.observed else ()
    return read_under(node, node.expected.under(effective, gpus), named, carriers(node), gpus)


def _strategy(nodes: Nodes) -> Strategy:
    """Return the strategy of the cell that all nodes are in."""
    (strategy,) = {node.cell.strategy for node in nodes.values()}
    return strategy
