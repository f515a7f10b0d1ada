"""The change of strategy, with pods that wait for what only the strategy to come advertises."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from conformance.cluster.pod_view import PodView
from conformance.expect.scheduling import StartedPod
from conformance.spec.names import Strategy
from conformance.suite.scenario import Effect, Leaves, Moment, NodeInCell, Scenario


@dataclass(frozen=True)
class StrategySwitch:
    """One node's pod that waited for the change of strategy; the geometry is the same before and after.

    Attributes:
        after: The strategy after it.
        resource: What the pod asked for: what the geometry is advertised as under the strategy to come.
        pending: The pod before the change.
        running: The pod after it.
    """

    after: Strategy
    resource: str
    pending: StartedPod
    running: StartedPod


@dataclass(frozen=True)
class WaitingPod:
    """A pod that waits for the change of strategy.

    Attributes:
        pod: The pod.
        resource: What it asks for.
        pending: The pod after it was watched for `limits.stays_pending`.
    """

    pod: PodView
    resource: str
    pending: StartedPod


class SwitchStrategy(Scenario[WaitingPod, StrategySwitch]):
    """Starts a pod on every node, sees it Pending, changes the strategy once for all nodes, and sees it run."""

    summary: ClassVar = "change the strategy while a pod waits for it"
    effect: ClassVar = Effect.CLUSTER_WIDE
    moment: ClassVar = Moment.AT_SWITCH
    leaves: ClassVar = Leaves(same_cell=False)
    cost: ClassVar = 15.0

    def start(self, node: NodeInCell) -> WaitingPod:
        """Start the pod and see it Pending; the strategy is changed when that was seen on every node."""
        resource = node.expected.resource_of_other_strategy
        pod = node.workloads.start(resource)
        return WaitingPod(pod, resource, node.workloads.pending(pod))

    def observe(self, node: NodeInCell, started: WaitingPod) -> StrategySwitch:
        """See it run, after the change."""
        running = node.workloads.running(started.pod)
        return StrategySwitch(node.cell.strategy.other, started.resource, started.pending, running)
