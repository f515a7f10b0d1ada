"""Scenario: a pod requests a resource that the current strategy does not advertise, and must stay Pending."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from conformance.cluster.pod_view import PodView
from conformance.expect.scheduling import StartedPod
from conformance.spec.names import GPU_RESOURCE, Strategy
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import Effect, Scenario


@dataclass(frozen=True)
class UnmatchedRequest:
    """A pod that must not run.

    Attributes:
        resource: The resource that it requests.
        pod: The pod after `limits.stays_pending`, or as soon as it was scheduled.
    """

    resource: str
    pod: StartedPod


class RequestUnmatched(Scenario[tuple[str, PodView], UnmatchedRequest]):
    """Requests a whole GPU under `mixed`, and a slice by its profile under `single`."""

    summary: ClassVar = "start a pod that must stay Pending"
    effect: ClassVar = Effect.WORKLOAD
    cost: ClassVar = 9.0

    def start(self, node: NodeInCell) -> tuple[str, PodView]:
        """Start the pod."""
        mixed = node.cell.strategy is Strategy.MIXED
        resource = GPU_RESOURCE if mixed else node.expected.resource_of_other_strategy
        return resource, node.workloads.start(resource)

    def observe(self, node: NodeInCell, started: tuple[str, PodView]) -> UnmatchedRequest:
        """Watch the pod for `limits.stays_pending`."""
        resource, pod = started
        return UnmatchedRequest(resource, node.workloads.pending(pod))
