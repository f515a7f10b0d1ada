"""Scenarios: the pods of the operator and of Node Feature Discovery are deleted, at rest and during a change."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import ClassVar, Final

from conformance.cluster.changes import NodeChange
from conformance.expect.trial import Trial
from conformance.operations.controllers import NFD_MASTER, NFD_WORKER, OPERATOR, Replacement, controller_pods
from conformance.operations.mig_cluster import MigCluster
from conformance.spec.names import State
from conformance.suite.interruptions import Interruption
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import ClusterScenario, Needs, Nodes

_HELD: Final = 200.0
"""Seconds of the cluster's clock for which a change is held up at most; mig-manager gives up after 300."""


@dataclass(frozen=True)
class ControllerRestart:
    """What became of a node while controllers of the cluster were restarted.

    Attributes:
        trial: What happened from before the deletion until the node was at rest again.
        controllers: What became of the pods that were deleted, by controller: `replaced`, or what they are now.
        node_changes: Changes of taints, cordon and readiness of the node, as text.
    """

    trial: Trial
    controllers: Mapping[str, str]
    node_changes: tuple[str, ...]


class _ControllerScenario(ClusterScenario[Interruption, ControllerRestart]):
    """Deletes pods of controllers once for all nodes; each node is watched from before until it is at rest again."""

    cluster_wide_to: ClassVar = "restart a controller of the cluster"

    def __init__(self) -> None:
        self._replacement: Replacement | None = None

    def start(self, node: NodeInCell) -> Interruption:
        """Watch the node."""
        return Interruption(node)

    def observe(self, node: NodeInCell, started: Interruption) -> ControllerRestart:
        """Wait until the node is at rest."""
        return self._evidence(node, started, "")

    def undo(self, cluster: MigCluster, nodes: Nodes) -> None:
        """Do nothing: whoever owns the pods has made new ones."""

    def _evidence(self, node: NodeInCell, started: Interruption, configuration: str) -> ControllerRestart:
        trial = started.trial(configuration, resources=node.expected.resources)
        fates = self._replacement.fates(node.name) if self._replacement else {}
        changes = node.cluster.timeline.of(NodeChange, started.mark, node=node.name)
        own = node.cluster.writes.owns
        return ControllerRestart(trial, fates, tuple(str(one.describe()) for one in changes if not own(one.version)))


class RestartOperator(_ControllerScenario):
    """Deletes the operator's pod while the nodes are at rest, and waits until the new one has looked at the cluster."""

    summary: ClassVar = "delete the operator's pod while the nodes are at rest"
    needs: ClassVar = Needs(operator_pod=True)
    changes: ClassVar = ("the operator's pod is deleted; its Deployment makes a new one",)
    cost: ClassVar = 10.0

    def change(self, cluster: MigCluster, nodes: Nodes) -> None:
        """Delete the pod."""
        del nodes
        replacement = self._replacement = Replacement(cluster, controller_pods(cluster, OPERATOR))
        cluster.give_time(replacement.is_back, "a new pod of the operator", cluster.limits.operands_ready)
        replacement.await_reconcile(cluster.limits.strategy_seen)


@dataclass
class _Holds:
    """What keeps mig-manager from being done with a change, by node."""

    stacks: dict[str, ExitStack] = field(default_factory=dict)

    def release(self, node: str) -> None:
        if (stack := self.stacks.pop(node, None)) is not None:
            stack.close()


class RestartOperatorAtWork(_ControllerScenario):
    """Asks all nodes for a change, holds it up while the operands are paused, and deletes the operator's pod."""

    summary: ClassVar = "delete the operator's pod while mig-manager changes the GPUs"
    needs: ClassVar = Needs(devices=1, configurations=2, operator_pod=True)
    changes: ClassVar = (
        "the operator's pod is deleted; its Deployment makes a new one",
        "a finalizer on the device plugin's pod until the operator is back, for up to four minutes",
    )
    cost: ClassVar = 25.0

    def __init__(self) -> None:
        super().__init__()
        self._holds = _Holds()

    def start(self, node: NodeInCell) -> Interruption:
        """Leave the cell, ask for it again, and wait until mig-manager has stopped the device plugin."""
        node.request(node.other_configuration)
        interruption = Interruption(node)
        with ExitStack() as stack:
            plugin = stack.enter_context(interruption.held_up(node.cell.configuration))
            interruption.await_end_of(plugin)
            self._holds.stacks[node.name] = stack.pop_all()
        return interruption

    def change(self, cluster: MigCluster, nodes: Nodes) -> None:
        """Delete the pod, and let the change go on when the new one has looked at the cluster."""
        replacement = self._replacement = Replacement(cluster, controller_pods(cluster, OPERATOR))
        until = cluster.clock.now() + _HELD
        cluster.observe(replacement.is_back, _HELD, "a new pod of the operator")
        replacement.await_reconcile(min(until - cluster.clock.now(), cluster.limits.strategy_seen))
        for name in nodes:
            self._holds.release(name)

    def observe(self, node: NodeInCell, started: Interruption) -> ControllerRestart:
        """Wait for the end of the change."""
        started.await_state(State.SUCCESS, State.FAILED)
        return self._evidence(node, started, node.cell.configuration)

    def undo(self, cluster: MigCluster, nodes: Nodes) -> None:
        """Let go of what is still held up, on nodes where the scenario did not get further."""
        del cluster, nodes
        for name in tuple(self._holds.stacks):
            self._holds.release(name)


class RestartNodeFeatureDiscovery(_ControllerScenario):
    """Deletes the pod of the NFD master and those of the NFD workers of the nodes, while the nodes are at rest."""

    summary: ClassVar = "delete the pods of Node Feature Discovery while the nodes are at rest"
    needs: ClassVar = Needs(feature_discovery_pods=True)
    changes: ClassVar = ("the pods of Node Feature Discovery's master, and of its workers on the nodes, are deleted",)
    cost: ClassVar = 20.0

    def change(self, cluster: MigCluster, nodes: Nodes) -> None:
        """Delete the pods."""
        workers = [pod for name in nodes for pod in controller_pods(cluster, NFD_WORKER, name)]
        pods = [*controller_pods(cluster, NFD_MASTER), *workers]
        replacement = self._replacement = Replacement(cluster, pods)
        what = "new pods of Node Feature Discovery"
        cluster.give_time(replacement.is_back, what, cluster.limits.operands_ready)

    def observe(self, node: NodeInCell, started: Interruption) -> ControllerRestart:
        """Watch the node for as long as the new pods may take to look at it, then wait until it is at rest."""
        started.watch_idle()
        return super().observe(node, started)
