"""Scenario: nodes without `mig.config` get the operator's default, or none if the default is empty."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Final

from conformance.expect.node import ExpectedNode
from conformance.expect.trial import Trial
from conformance.operations.fields import policy_field
from conformance.operations.mig_cluster import MigCluster
from conformance.spec.mig_parted import ALL_DISABLED
from conformance.spec.names import MIG_CONFIG
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import ClusterScenario, Needs, Nodes
from conformance.suite.trials import TrialWatch, recover

_DEFAULT: Final = ("migManager", "config", "default")


@dataclass(frozen=True)
class DefaultLabel:
    """What became of a node whose label was removed, while the default was empty and when it was back.

    Attributes:
        without: The default was emptied, which makes the operator look at all nodes.
        stamped: The default was set again; as `without` until then.
        expected: What the node must show in the default configuration.
        recovery: The configuration of the cell was requested at the end; as `without` until then.
    """

    without: Trial
    expected: ExpectedNode
    stamped: Trial
    recovery: Trial


class ClearDefault(ClusterScenario[TrialWatch, DefaultLabel]):
    """Removes the label from the nodes, empties the operator's default, and sets the default again."""

    summary: ClassVar = "remove the label of the nodes, with an empty default and with the usual one"
    needs: ClassVar = Needs(default_configuration=True)
    changes: ClassVar = ("ClusterPolicy spec.migManager.config.default",)
    cost: ClassVar = 50.0

    def __init__(self) -> None:
        self._watches: dict[str, TrialWatch] = {}

    def start(self, node: NodeInCell) -> TrialWatch:
        """Remove the label; the removal alone does not make the operator look at the node."""
        watch = TrialWatch(node)
        node.cluster.set_labels(node.name, {MIG_CONFIG: None})
        return watch

    def change(self, cluster: MigCluster, nodes: Nodes) -> None:
        """Empty the default."""
        del nodes
        cluster.change(policy_field(cluster.policy().name, *_DEFAULT), "")

    def observe(self, node: NodeInCell, started: TrialWatch) -> DefaultLabel:
        """Watch that nothing happens."""
        started.watch_idle()
        without = started.trial("")
        expected = node.expected.asked_for(ALL_DISABLED, without.before.gpus, node.target.entries(ALL_DISABLED))
        self._watches[node.name] = TrialWatch(node)
        return DefaultLabel(without, expected, without, without)

    def undo(self, cluster: MigCluster, nodes: Nodes) -> None:
        """Set the default again."""
        del nodes
        cluster.change(policy_field(cluster.policy().name, *_DEFAULT), ALL_DISABLED)

    def settle(self, node: NodeInCell, evidence: DefaultLabel) -> DefaultLabel:
        """Wait for the operator and for mig-manager, then request the configuration of the cell."""
        watch = self._watches.pop(node.name)
        watch.await_answers(1)
        stamped = watch.trial(ALL_DISABLED, resources=evidence.expected.resources)
        return replace(evidence, stamped=stamped, recovery=recover(node))
