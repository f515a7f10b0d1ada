"""Scenario: change the strategy while pods wait for a resource that only the new strategy advertises.

`Switching` runs it: it starts a pod on every node, changes the strategy once, and then observes every pod.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from conformance.cluster.pod_view import PodView
from conformance.expect.scheduling import StartedPod
from conformance.spec.names import Strategy
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import Effect, Leaves, Moment, Scenario


@dataclass(frozen=True)
class StrategySwitch:
    """The pod of one node before and after the change of strategy; the geometry stays the same.

    Attributes:
        after: The new strategy.
        resource: The resource that the pod requests; only the new strategy advertises it.
        pending: The pod before the change.
        running: The pod after the change.
    """

    after: Strategy
    resource: str
    pending: StartedPod
    running: StartedPod


@dataclass(frozen=True)
class WaitingPod:
    """A Pending pod that waits for the change of strategy.

    Attributes:
        pod: The pod.
        resource: The resource that it requests.
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
        """Start the pod and wait until it is known to stay Pending.

        Unlike other scenarios this one waits here: the strategy changes only when all pods are Pending.
        """
        resource = node.expected.resource_of_other_strategy
        pod = node.workloads.start(resource)
        return WaitingPod(pod, resource, node.workloads.pending(pod))

    def observe(self, node: NodeInCell, started: WaitingPod) -> StrategySwitch:
        """Wait for the pod to run after the change."""
        running = node.workloads.running(started.pod)
        return StrategySwitch(node.cell.strategy.other, started.resource, started.pending, running)
