"""Brings nodes to cells, and keeps what is known of each node for its next change."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

from conformance.expect.finding import CheckContext
from conformance.expect.label_checks import compare_labels
from conformance.expect.node import FOUND_THERE, Approach, ExpectedNode, expected_node
from conformance.expect.observed import ObservedGpu
from conformance.expect.versions import Declared
from conformance.operations.errors import NodeLostError
from conformance.operations.evidence import Outcome, StrategyChange
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.reconfigure import reconfigure_node
from conformance.operations.strategy import change_strategy
from conformance.spec.names import GFD_TIMESTAMP, MIG_CONFIG, MIG_CONFIG_STATE, MIG_MANAGER_APP, State, Strategy
from conformance.suite.arrival import Arrival
from conformance.suite.as_found import gpus_as_found
from conformance.suite.cells import Cell
from conformance.suite.keeping import Keeping
from conformance.suite.node_in_cell import NodeInCell, StayTimeline
from conformance.suite.observer import Observation, Observer
from conformance.suite.operand_warnings import OperandWarnings
from conformance.suite.starting_state import why_not_as_labelled
from conformance.suite.targets import Target
from conformance.suite.uuid_holders import UuidHolders
from conformance.suite.versions import Versions
from conformance.suite.witnesses import Witnesses
from conformance.suite.workloads import Workloads


@dataclass(frozen=True)
class _Switched:
    """A change of strategy that is not yet part of the arrival of a node.

    The first arrival after the change includes it, so that the cases can check the labels across both.

    Attributes:
        change: The change.
        labels_before: All labels of each node before the change, by name.
    """

    change: StrategyChange
    labels_before: Mapping[str, Mapping[str, str]]


@dataclass
class Provisioner:
    """Changes the strategy of the cluster and the configurations of nodes.

    Attributes:
        cluster: The cluster.
        targets: The nodes under test by name.
        observer: Reads the GPUs.
        keeping: Takes lease and journal before the first change; restores the cluster when the run ends.
        witnesses: Places the pod and the label that must survive every reconfiguration.
        versions: Versions of the components.
        run: Id of the run.
        image: Image of workload pods.
        declared: What declares images beside the ClusterPolicy, by component.
    """

    cluster: MigCluster
    targets: Mapping[str, Target]
    observer: Observer
    keeping: Keeping
    witnesses: Witnesses
    versions: Versions
    run: str
    image: str
    declared: Mapping[str, Declared] = field(default_factory=dict)
    _seen: dict[str, Observation] = field(default_factory=dict)
    _counts: dict[str, int] = field(default_factory=dict)
    _holders: UuidHolders = field(default_factory=UuidHolders)
    _unlike: dict[str, str | None] = field(default_factory=dict)
    _succeeded: dict[str, str] = field(default_factory=dict)
    _switched: dict[str, _Switched] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._warnings = OperandWarnings(self.cluster)

    @property
    def gpu_counts(self) -> dict[str, int]:
        """Number of physical GPUs by node, for the nodes whose GPUs were read."""
        return dict(self._counts)

    def change_strategy(self, strategy: Strategy) -> None:
        """Change the strategy of the cluster; does nothing if the cluster already has it.

        Raises:
            ClusterError: The cluster could not be used. Wrong behaviour of the product is evidence, not an error.
        """
        if self.cluster.policy().strategy == strategy:
            return
        before = {node.name: node.labels for node in self.cluster.nodes() if node.name in self.targets}
        switched = _Switched(change_strategy(self.cluster, strategy), before)
        self._switched = dict.fromkeys(before, switched)

    def bring(self, name: str, cell: Cell) -> NodeInCell:
        """Bring a node to the configuration of a cell; the cluster must already have its strategy.

        Wrong behaviour of the product on the way is evidence, not an error.

        Raises:
            NodeLostError: The state in which the node was found could not be brought back; it was not reconfigured.
            ClusterError: The cluster could not be used.
        """
        if name not in self._seen:
            self._remember(name, self.observer.observe(name))
        self._refuse_unlike(name)
        self.witnesses.ensure(name)
        before, process = self._seen.pop(name), self._manager_process(name)
        switched = self._switched.pop(name, None)
        labels = switched.labels_before[name] if switched else self.cluster.node(name).labels
        again = not (switched and self.versions.sets_default_at_work)
        reconfiguration = reconfigure_node(self.cluster, name, cell.configuration, again=again)
        arrival = Arrival(
            reconfiguration=reconfiguration,
            labels_before=labels,
            before=before.gpus,
            resumed_before=self._succeeded.get(name) == process,
            strategy_change=switched.change if switched else None,
        )
        node = self._node(name, cell, before.gpus, arrival)
        if node.expected.needs_work and reconfiguration.outcome is Outcome.SUCCESS:
            self._succeeded[name] = self._manager_process(name)
        return node

    def return_to_cell(self, node: NodeInCell) -> None:
        """Bring a node back to the configuration of its cell if a scenario has left it with another one.

        If the scenario broke, the node goes there by way of another configuration: operands may still be paused, and
        mig-manager brings them back only at the end of a change.

        Raises:
            ClusterError: The cluster could not be used.
        """
        if node.unsure:
            node.unsure = False
            with suppress(ValueError):  # the node offers no other
                node.request(node.other_configuration)
        labels = self.cluster.node(node.name).labels
        if (labels.get(MIG_CONFIG), labels.get(MIG_CONFIG_STATE)) != (node.cell.configuration, State.SUCCESS):
            node.request(node.cell.configuration)

    def repeat(self, name: str, configuration: str) -> None:
        """Bring a node to the configuration in which it was found, as the restore would, but with the witnesses there.

        Raises:
            ClusterError: The cluster could not be used.
        """
        self.witnesses.ensure(name)
        reconfigure_node(self.cluster, name, configuration)

    def forget(self, name: str) -> None:
        """Forget the GPUs of a node, because something has changed them since they were read."""
        self._seen.pop(name, None)

    def _refuse_unlike(self, name: str) -> None:
        """Raise an error if the GPUs of a node were not as its label said before the first change."""
        if name not in self._unlike:
            configuration = self.cluster.node(name).labels.get(MIG_CONFIG)
            self._unlike[name] = why_not_as_labelled(configuration, self.targets[name], self._seen[name].gpus)
        if (why := self._unlike[name]) is not None:
            raise NodeLostError(name, f"node {name} could not be put back, so it stays as it is: {why}")

    def find(self, name: str, cell: Cell) -> NodeInCell:
        """Describe a node in the cell in which it was found, without changing anything."""
        return self._node(name, cell, gpus_as_found(self.targets[name], cell, self.cluster.node(name).labels), None)

    def settle_resources(self, node: NodeInCell) -> None:
        """Wait until the node advertises the expected resources, or the limit passes; the cases judge the result.

        On a node with shared devices no case does, so there is no wait.
        """
        if node.target.sharing:
            return
        node.await_resources(node.expected.resources)

    def read_gpus(self, node: NodeInCell, work: Callable[[], None]) -> None:
        """Read the GPUs of the node with a pod, and call `work` while that pod runs.

        Raises:
            ClusterError: The GPUs cannot be read.
        """
        pod = self.observer.start(node.name)
        work()
        node.observed = self.observer.finish(node.name, pod)
        self._remember(node.name, node.observed)

    def settle_labels(self, node: NodeInCell) -> None:
        """Wait until the labels of GPU Feature Discovery are as expected or the limit passes; cases judge them."""
        if (seen := node.observed) is None or node.target.sharing:
            return
        wanted, before = node.expected.labels(seen.gpus, seen.driver), node.expected.timestamp_before

        def follows() -> bool:
            labels = self.cluster.node(node.name).labels
            fresh = not node.expected.restarted or labels.get(GFD_TIMESTAMP) != before
            return fresh and compare_labels(labels, wanted) is None

        limit = self.cluster.limits.labels
        self.cluster.give_time(follows, "the labels of GPU Feature Discovery", limit, node=node.name)

    def _remember(self, name: str, seen: Observation) -> None:
        self._seen[name] = seen
        self._counts[name] = len(seen.gpus)
        self._holders.note(name, seen)

    def _node(self, name: str, cell: Cell, before: tuple[ObservedGpu, ...], arrival: Arrival | None) -> NodeInCell:
        target = self.targets[name]
        timeline = StayTimeline(self.cluster, name, arrival.mark if arrival else 0)
        return NodeInCell(
            cluster=self.cluster,
            target=target,
            cell=cell,
            expected=self._expected(target, cell, before, arrival.approach if arrival else FOUND_THERE, timeline),
            timeline=timeline,
            workloads=Workloads(self.cluster, self.observer, name, self.run, self.image),
            warnings=self._warnings,
            arrival=arrival,
            bystander=self.witnesses.pod(name) if arrival else None,
            holders=self._holders,
            declared=self.declared,
        )

    def _expected(
        self,
        target: Target,
        cell: Cell,
        before: tuple[ObservedGpu, ...],
        approach: Approach,
        timeline: StayTimeline,
    ) -> ExpectedNode:
        context = CheckContext(
            requirements=(),
            node=target.name,
            strategy=cell.strategy,
            configuration=cell.configuration,
            timeline=timeline,
        )
        return expected_node(
            context,
            before,
            target.entries(cell.configuration),
            mig_manager=self.versions.mig_manager,
            device_plugin=self.versions.device_plugin,
            approach=approach,
        )

    def _manager_process(self, node: str) -> str:
        """Identity of the mig-manager process on the node: UID and restart count of its pod."""
        return " ".join(f"{pod.uid}/{pod.restarts}" for pod in self.cluster.operands(node, MIG_MANAGER_APP))
