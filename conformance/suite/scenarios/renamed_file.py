"""Scenario: `migManager.config.name` names another ConfigMap, whose configuration of the same name differs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from conformance.expect.node import ExpectedNode
from conformance.expect.observed import ObservedGpu
from conformance.expect.trial import Trial
from conformance.operations.manager_file import put_config_map, use_config_map
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.side_by_side import results, side_by_side
from conformance.spec.mig_parted import Entry
from conformance.spec.names import CONFIG_KEY
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.own_file import OWN_CONFIG_MAP, OwnFileScenario, as_text, for_each_model, halves, smallest
from conformance.suite.scenario import Nodes
from conformance.suite.trials import TrialWatch

SECOND_CONFIG_MAP: Final = f"{OWN_CONFIG_MAP}-renamed"
"""The other ConfigMap of the suite, in the operator's namespace."""
LAYOUT: Final = "suite-layout"


@dataclass(frozen=True)
class RenamedFile:
    """What came of the change from one ConfigMap to the other on one node, whose label stayed as it was.

    Attributes:
        expected: What the node must show with the other ConfigMap.
        trial: What happened from before the change until the node was at rest.
    """

    expected: ExpectedNode
    trial: Trial


class RenameFile(OwnFileScenario[RenamedFile]):
    """Applies a layout of one ConfigMap, then names another one, in which that layout has other entries."""

    summary: ClassVar = "let the ClusterPolicy name another ConfigMap, in which the requested configuration differs"
    changes: ClassVar = (
        *OwnFileScenario.changes,
        f"ConfigMap {SECOND_CONFIG_MAP} in the operator's namespace, with configurations of the suite",
    )
    cost: ClassVar = 30.0

    def __init__(self) -> None:
        super().__init__()
        self._watches: dict[str, TrialWatch] = {}

    def configurations(self, gpus: Sequence[ObservedGpu]) -> Mapping[str, Iterable[Entry]]:
        """Two halves of every GPU."""
        return {LAYOUT: for_each_model(gpus, [(None, halves)])}

    def change(self, cluster: MigCluster, nodes: Nodes) -> None:
        """Put the first ConfigMap in force, request its layout on all nodes, then name the second ConfigMap."""
        super().change(cluster, nodes)
        results(side_by_side(cluster, nodes, lambda name: nodes[name].request(LAYOUT)))
        self._watches = results(side_by_side(cluster, nodes, lambda name: TrialWatch(nodes[name])))
        put_config_map(cluster, SECOND_CONFIG_MAP, {CONFIG_KEY: as_text({**self.kept, LAYOUT: self._second()})})
        use_config_map(cluster, SECOND_CONFIG_MAP, nodes)

    def observe(self, node: NodeInCell, started: None) -> RenamedFile:
        """Wait until the node is as the second ConfigMap says."""
        del started
        watch = self._watches.pop(node.name)
        expected = node.expected.asked_for(LAYOUT, watch.before.gpus, self._second())
        return RenamedFile(expected, watch.trial(LAYOUT, resources=expected.resources))

    def settle(self, node: NodeInCell, evidence: RenamedFile) -> RenamedFile:
        """Request the configuration of the cell, which the former file has again."""
        node.request(node.cell.configuration)
        return evidence

    def _second(self) -> tuple[Entry, ...]:
        """Return the entries of the second ConfigMap: as many small instances on every GPU as fit."""
        return tuple(for_each_model(self.gpus, [(None, smallest)]))
