"""Scenario: use configurations of a ConfigMap of the suite, edit them, and take the ConfigMap away again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final

from conformance.cluster.changes import LabelChange
from conformance.expect.devices import DeviceUser
from conformance.expect.observed import ObservedGpu
from conformance.operations.evidence import Reconfiguration
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.side_by_side import results, side_by_side
from conformance.spec.mig_parted import Entry
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.own_file import OwnFileScenario, for_each_model, halves, packed, smallest
from conformance.suite.scenario import Nodes
from conformance.suite.scenarios.device_users import use_devices
from conformance.suite.scenarios.rest import PluginEnd, plugin_end
from conformance.suite.targets import find_targets

UNEVEN: Final = "suite-packed"
BY_INDEX: Final = "suite-every-second-gpu"
_ALL_INDICES: Final = tuple(range(16))


@dataclass(frozen=True)
class Applied:
    """A configuration of the file, as a node took it.

    Attributes:
        name: Name of the configuration.
        entries: What the file said when it was requested.
        before: The GPUs before the request.
        answer: What mig-manager did.
        gpus: The GPUs after it.
        allocatable: Resources that pods may ask for after it.
        plugin_end: How the device plugin ended; empty if it is expected to run.
    """

    name: str
    entries: tuple[Entry, ...]
    before: tuple[ObservedGpu, ...]
    answer: Reconfiguration
    gpus: tuple[ObservedGpu, ...]
    allocatable: Mapping[str, int]
    plugin_end: PluginEnd


@dataclass(frozen=True)
class OwnConfigurations:
    """Configurations of the suite's own file on one node, in the order in which they were requested.

    Attributes:
        uneven: Two profiles on every GPU. The file was edited before the GPUs were read.
        after_edit: Changes of labels that others than the suite made between the edit and the next request.
        edited: The same name requested again, with other content.
        by_index: MIG on every second GPU, and off on the first and the others.
        users: Pods that held slices and whole GPUs under `by_index` at the same time.
        back_state: State after the configuration of the cell was requested with the former file in force; None before.
        back_problem: Why that request did not succeed; empty if it did.
        gpus_back: The GPUs after it.
        offered: Names of the configurations that the node was offered before, and after the file was taken away.
    """

    uneven: Applied
    after_edit: tuple[LabelChange, ...]
    edited: Applied
    by_index: Applied
    users: tuple[DeviceUser, ...] = ()
    back_state: str | None = None
    back_problem: str = ""
    gpus_back: tuple[ObservedGpu, ...] = ()
    offered: tuple[tuple[str, ...], tuple[str, ...]] = ((), ())


class UseOwnConfigurations(OwnFileScenario[OwnConfigurations]):
    """Puts a ConfigMap in force, requests its configurations, edits one, and goes back to the built-in ones."""

    summary: ClassVar = "put a ConfigMap of the suite in force, request and edit its configurations"
    cost: ClassVar = 165.0

    def __init__(self) -> None:
        super().__init__()
        self._first: dict[str, Reconfiguration] = {}
        self._edited_at = 0

    def configurations(self, gpus: Sequence[ObservedGpu]) -> Mapping[str, Iterable[Entry]]:
        """Two profiles on every GPU, and MIG on every second GPU."""
        every_second = [(_ALL_INDICES[::2], None), (_ALL_INDICES[1::2], smallest)]
        return {
            UNEVEN: for_each_model(gpus, [(None, packed)]),
            BY_INDEX: for_each_model(gpus, every_second),
        }

    def change(self, cluster: MigCluster, nodes: Nodes) -> None:
        """Put the file in force, request its first configuration on all nodes, and then edit it."""
        super().change(cluster, nodes)
        self._first = results(side_by_side(cluster, nodes, lambda name: nodes[name].request(UNEVEN)))
        self._edited_at = cluster.timeline.mark()
        self.write(cluster, {**self.configurations(self.gpus), UNEVEN: self._edited()})

    def observe(self, node: NodeInCell, started: None) -> OwnConfigurations:
        """See that the edit changes nothing by itself, then request the one by index, and the edited configuration.

        The other one comes first because a name that the label already has would have to be removed for a moment. An
        operator before v26.7.0 may then write its default.
        """
        del started
        cluster, file = node.cluster, self.configurations(self.gpus)
        cluster.observe(lambda: False, cluster.limits.edit_ignored, "an edited ConfigMap to change nothing", node.name)
        changes = cluster.timeline.of(LabelChange, self._edited_at, node=node.name)
        foreign = tuple(change for change in changes if not cluster.writes.owns(change.version))
        before = node.observed.gpus if node.observed else ()
        uneven = self._applied(node, UNEVEN, tuple(file[UNEVEN]), before, self._first[node.name])
        by_index = self._request(node, BY_INDEX, tuple(file[BY_INDEX]), uneven.gpus)
        users = use_devices(node, by_index.allocatable)
        node.workloads.remove()
        edited = self._request(node, UNEVEN, tuple(self._edited()), by_index.gpus)
        return OwnConfigurations(uneven, foreign, edited, by_index, users)

    def settle(self, node: NodeInCell, evidence: OwnConfigurations) -> OwnConfigurations:
        """Request the configuration of the cell, which the former file has again."""
        back = node.request(node.cell.configuration)
        (target,) = find_targets(node.cluster, [node.name])
        return replace(
            evidence,
            back_state=back.state,
            back_problem=back.problem,
            gpus_back=node.read_gpus().gpus,
            offered=(tuple(node.target.configurations.entries), tuple(target.configurations.entries)),
        )

    def _edited(self) -> list[Entry]:
        return for_each_model(self.gpus, [(None, halves)])

    def _request(
        self, node: NodeInCell, name: str, entries: tuple[Entry, ...], before: tuple[ObservedGpu, ...]
    ) -> Applied:
        return self._applied(node, name, entries, before, node.request(name))

    def _applied(
        self,
        node: NodeInCell,
        name: str,
        entries: tuple[Entry, ...],
        before: tuple[ObservedGpu, ...],
        answer: Reconfiguration,
    ) -> Applied:
        """Read the node once it is as expected or the limit has passed."""
        cluster, expected = node.cluster, node.expected.asked_for(name, before, entries)
        end = plugin_end(cluster, node.name) if expected.refusal else PluginEnd()
        seen = node.read_gpus()
        view = node.await_resources(expected.resources)
        return Applied(name, entries, before, answer, seen.gpus, view.allocatable, end)
