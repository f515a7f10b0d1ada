"""The visit of one stop: runs the scenarios and keeps their evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from conformance.cluster.errors import AccessLostError, InconclusiveError, UnreachableError
from conformance.operations.controllers import NFD_MASTER, NFD_WORKER, OPERATOR, controller_pods
from conformance.operations.errors import ForeignChangeError, LeaseHeldError
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.selection import nodes_without_mig
from conformance.operations.side_by_side import side_by_side, surviving
from conformance.spec.names import DEVICE_PLUGIN_CONFIG, OPERATOR_APP
from conformance.spec.releases import at_least
from conformance.suite.agenda import Agenda, Stop
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import AnyClusterScenario, AnyScenario, ClusterScenario, Moment, Needs, Nodes
from conformance.wording import counted

ENDS_THE_RUN = (AccessLostError, ForeignChangeError, LeaseHeldError, UnreachableError)
"""Errors that end the run: after them, evidence from the cluster is not reliable."""
_OF_RECONCILER: Final = "v0.15.0"
"""mig-manager of the first operator with a reconciler of node labels (v26.7.0); only that one writes the default."""


@dataclass
class Span:
    """The part of the timeline in which a scenario was at work on a node.

    Attributes:
        first: Mark of the timeline when it began.
        begun: When it began, in seconds of the cluster's clock.
        last: Mark when its evidence was complete; None before that.
        ended: When that was; None before that.
    """

    first: int
    begun: float
    last: int | None = None
    ended: float | None = None


@dataclass
class Visit:
    """The visit of one stop, kept after the run has left it for cases that are judged at the end.

    An error of a scenario is stored in place of its evidence. The scenario runs once, possibly in another thread, for
    several cases; `Execution` raises the stored error in the first case and blocks the others.

    Attributes:
        stop: The stop.
        agenda: The work of the run.
        nodes: The nodes that have arrived, by name.
        broken: Error by name, for nodes that could not be brought there or observed.
        left: Whether the evidence of the stay is complete.
        spans: When each scenario was at work, by scenario and name of the node.
    """

    stop: Stop
    agenda: Agenda
    nodes: dict[str, NodeInCell] = field(default_factory=dict)
    broken: dict[str, Exception] = field(default_factory=dict)
    left: bool = False
    spans: dict[tuple[AnyScenario, str], Span] = field(default_factory=dict)
    _started: dict[tuple[AnyScenario, str], Any] = field(default_factory=dict)
    _evidence: dict[tuple[AnyScenario, str], Any] = field(default_factory=dict)

    def start(self, node: NodeInCell, *, exclusive: bool | None = None) -> None:
        """Start the scenarios of the node, except those whose needs the node does not meet."""
        self._start(node, self.agenda.scenarios(self.stop, node.name, exclusive=exclusive))

    def observe(self, node: NodeInCell, moment: Moment, *, exclusive: bool | None = None) -> None:
        """Complete the evidence of the scenarios of this moment."""
        self._observe(node, self.agenda.scenarios(self.stop, node.name, exclusive=exclusive, moment=moment))

    def look_at_arrival(self, node: NodeInCell) -> None:
        """Complete the evidence of the arrival on a node that did not reach its cell; nothing else runs there."""
        if (scenario := self.agenda.arrivals.get((self.stop, node.name))) is not None:
            self._start(node, [scenario])
            self._observe(node, [scenario])

    def exclusive(self, node: NodeInCell) -> list[AnyScenario]:
        """Return the exclusive scenarios of the node in the order in which they run: the least invasive first.

        Those that change the whole cluster are not among them; see `cluster_wide`.
        """
        found = self.agenda.scenarios(self.stop, node.name, exclusive=True)
        own = [scenario for scenario in found if not isinstance(scenario, ClusterScenario)]
        return sorted(own, key=lambda scenario: (scenario.ends_stay, not scenario.leaves.same_cell))

    def do_exclusive(self, node: NodeInCell, scenario: AnyScenario) -> None:
        """Run an exclusive scenario on the node, after the end of its stay if the scenario changes the node."""
        if scenario.ends_stay:
            self.end_stay(node)
            node.disturbed = True
        try:
            self._start(node, [scenario])
            self._observe(node, [scenario])
        finally:
            node.workloads.remove()
            self._note_broken(node, scenario)

    def cluster_wide(self) -> list[AnyClusterScenario]:
        """Return the scenarios that change the whole cluster, for the nodes that reached their cell."""
        found = (scenario for node in self.nodes.values() for scenario in self._cluster_wide_on(node))
        return list(dict.fromkeys(found))

    def do_cluster_wide(self, scenario: AnyClusterScenario, cluster: MigCluster) -> None:
        """Run a scenario that changes the whole cluster, on all of its nodes at the same time."""
        names = [name for name, node in self.nodes.items() if scenario in self._cluster_wide_on(node)]
        for name in names:
            with self.losing(name):
                cluster.guard.check(name)
                self.end_stay(self.nodes[name])
                self.nodes[name].disturbed = True
        try:
            surviving(side_by_side(cluster, names, lambda name: self._start(self.nodes[name], [scenario])))
            if started := {name: self.nodes[name] for name in names if (scenario, name) in self._started}:
                self._change_and_undo(scenario, cluster, started)
        finally:
            surviving(side_by_side(cluster, names, lambda name: self.nodes[name].workloads.remove()))
            for name in names:
                self._note_broken(self.nodes[name], scenario)

    def _change_and_undo(self, scenario: AnyClusterScenario, cluster: MigCluster, nodes: Nodes) -> None:
        try:
            self._together(scenario, nodes, partial(scenario.change, cluster, nodes))
            surviving(side_by_side(cluster, nodes, lambda name: self._observe(nodes[name], [scenario])))
        finally:
            self._together(scenario, nodes, partial(scenario.undo, cluster, nodes))
            surviving(side_by_side(cluster, nodes, lambda name: self._settle(nodes[name], scenario)))

    def _settle(self, node: NodeInCell, scenario: AnyClusterScenario) -> None:
        key = (scenario, node.name)
        found = self._evidence.get(key)
        if not isinstance(found, Exception):
            self._keep(self._evidence, key, partial(scenario.settle, node, found))
            self._end_span(node, scenario)

    def end_stay(self, node: NodeInCell) -> None:
        """Complete the evidence of the stay of a node, unless that was done before."""
        if node.left is None:
            node.leave()
            if node.arrived:
                self.observe(node, Moment.WHEN_LEFT)

    @contextmanager
    def losing(self, name: str) -> Iterator[None]:
        """Leave a node out, with the reason, if the suite can no longer judge it. The others go on."""
        try:
            yield
        except ENDS_THE_RUN:
            raise
        except InconclusiveError as error:
            self.broken[name] = error

    def leave(self) -> None:
        """Complete the evidence of the stay; the nodes stay where they are until the next stop."""
        if self.left:
            return
        self.left = True
        for node in self.nodes.values():
            with self.losing(node.name):
                node.cluster.guard.check(node.name)
                self.end_stay(node)

    def forget_details(self) -> None:
        """Drop the evidence that no case asks for after the stop was left, to save memory."""
        self._evidence = {key: found for key, found in self._evidence.items() if key[0].moment is Moment.AT_END}

    def evidence(self, scenario: AnyScenario, node: str) -> Any:
        """Return the evidence of a scenario on a node, or the error that it raised; None if it did not run."""
        return self._evidence.get((scenario, node))

    def own_part(self, scenario: AnyScenario, node: str) -> tuple[int, int | None] | None:
        """Return the timeline marks between which a scenario that ends the stay was at work on a node.

        The second is None while it is. None for other scenarios: they share the stay.
        """
        span = self.spans.get((scenario, node)) if scenario.ends_stay else None
        return None if span is None else (span.first, span.last)

    def _start(self, node: NodeInCell, scenarios: Iterable[AnyScenario]) -> None:
        for scenario in scenarios:
            if unmet(scenario.needs, node) is None:
                key = (scenario, node.name)
                timeline = node.cluster.timeline
                self.spans[key] = Span(timeline.mark(), timeline.now())
                self._keep(self._started, key, partial(_begin, scenario, node))

    def _observe(self, node: NodeInCell, scenarios: Iterable[AnyScenario]) -> None:
        for scenario in scenarios:
            key = (scenario, node.name)
            if key in self._started and key not in self._evidence:
                started = self._started[key]
                self._keep(self._evidence, key, partial(scenario.observe, node, started))
                self._end_span(node, scenario)

    def _end_span(self, node: NodeInCell, scenario: AnyScenario) -> None:
        timeline, span = node.cluster.timeline, self.spans[scenario, node.name]
        span.last, span.ended = timeline.mark(), timeline.now()

    def _note_broken(self, node: NodeInCell, scenario: AnyScenario) -> None:
        broke = isinstance(self._evidence.get((scenario, node.name)), Exception)
        node.unsure = node.unsure or (broke and scenario.ends_stay)

    def _cluster_wide_on(self, node: NodeInCell) -> list[AnyClusterScenario]:
        if not node.arrived or node.name in self.broken:
            return []
        found = self.agenda.scenarios(self.stop, node.name, exclusive=True)
        return [it for it in found if isinstance(it, ClusterScenario) and unmet(it.needs, node) is None]

    def _together(self, scenario: AnyClusterScenario, names: Iterable[str], work: Callable[[], None]) -> None:
        """Change the cluster; an error is kept as the evidence of every node."""
        try:
            work()
        except ENDS_THE_RUN:
            raise
        except Exception as error:  # noqa: BLE001 - the first case of the scenario reports the error
            self._evidence.update(dict.fromkeys(((scenario, name) for name in names), error))

    def _keep(
        self, where: dict[tuple[AnyScenario, str], Any], key: tuple[AnyScenario, str], work: Callable[[], Any]
    ) -> None:
        try:
            where[key] = work()
        except ENDS_THE_RUN:
            raise
        except Exception as error:  # noqa: BLE001 - the first case of the scenario reports the error
            self._evidence[key] = error


def _begin(scenario: AnyScenario, node: NodeInCell) -> Any:
    """Start a scenario; if others may have changed the node before, when the resources of the cell are there again."""
    if scenario.ends_stay:
        node.await_resources(node.expected.resources)
    return scenario.start(node)


def _plugin_files(cluster: MigCluster) -> str:
    if name := cluster.policy().plugin_config:
        return f"the device plugin has files already, in ConfigMap {name}"
    choosing = [node.name for node in cluster.nodes() if node.labels.get(DEVICE_PLUGIN_CONFIG)]
    return f"nodes have the label {DEVICE_PLUGIN_CONFIG}: {', '.join(choosing)}" if choosing else ""


def unmet(needs: Needs, node: NodeInCell) -> str | None:
    """Return what a node lacks as a message; None if it meets the needs."""
    if (lacking := _hardware_lacking(needs, node)) is not None:
        return lacking
    if needs.default_configuration and not node.cluster.policy().config_default:
        return "the operator has no default configuration for nodes without mig.config"
    if needs.custom_configuration and not node.cluster.policy().config_name:
        return "the cluster has no mig-parted ConfigMap of the user's own"
    if needs.no_plugin_files and (of_user := _plugin_files(node.cluster)):
        return f"{of_user}: a file in its place would change what others have set up"
    if needs.operator_ignores_removal and not at_least(node.expected.mig_manager, _OF_RECONCILER):
        return "an operator before v26.7.0 may write its default at any event while a node has no mig.config"
    if needs.operator_pod and not controller_pods(node.cluster, OPERATOR):
        return f"no pod with label app={OPERATOR_APP} runs in namespace {node.cluster.operator_namespace}"
    if needs.feature_discovery_pods and not (
        controller_pods(node.cluster, NFD_MASTER) and controller_pods(node.cluster, NFD_WORKER, node.name)
    ):
        return "Node Feature Discovery does not run in the operator's namespace, where alone the suite deletes its pods"
    if needs.node_without_mig and not nodes_without_mig(node.cluster):
        return "the cluster has no node without a GPU that can do MIG"
    return None


def _hardware_lacking(needs: Needs, node: NodeInCell) -> str | None:
    gpus, resources = node.expected.wanted, node.expected.resources
    if needs.devices > max(resources.values(), default=0):
        listed = ", ".join(f"{count} x {name}" for name, count in sorted(resources.items())) or "no resource"
        return f"node {node.name} has {listed}: {needs.devices} of one resource are needed"
    if needs.neighbours and max(node.on_each_gpu(node.largest[0]), default=0) < 2:
        return f"node {node.name} has no GPU with two devices of {node.largest[0]}: nobody shares a GPU"
    if needs.configurations > (offered := len(node.target.kinds)):
        return f"node {node.name} has {counted(offered, 'configuration')}: {needs.configurations} are needed"
    if needs.gpus > len(gpus):
        return f"node {node.name} has {counted(len(gpus), 'GPU')}: {needs.gpus} are needed"
    if needs.generations and node.observed is not None:
        found = {gpu.capability[0] for gpu in node.observed.gpus}
        if not found.intersection(needs.generations):
            return f"node {node.name} has no GPU of compute capability {', '.join(map(str, needs.generations))}"
    return None
