"""Scenarios: a configuration is requested while a pod keeps a device busy, and pods ask for devices during a change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from conformance.cluster.pod_view import PodView
from conformance.expect.busy import Holder
from conformance.expect.scheduling import StartedPod
from conformance.expect.trial import Trial
from conformance.spec.mig_parted import Entry
from conformance.spec.names import State
from conformance.suite.interruptions import Interruption
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import FailureScenario, Needs
from conformance.suite.trials import attempt

_AT_ONCE: Final = 3
"""Pods that are created during a change, if the layout has as many devices."""


@dataclass(frozen=True)
class Busy:
    """A request that cannot be met because a pod keeps a device busy, and the same one after the pod is gone.

    Attributes:
        holder: The pod and its device, before the request and after it.
        refused: The request while the pod ran.
        boots: Boot ids that the node took meanwhile.
        entries: Entries of the requested configuration.
        drained: The same request after the pod was gone.
    """

    holder: Holder
    refused: Trial
    boots: tuple[str, ...]
    entries: tuple[Entry, ...]
    drained: Trial


class RequestWhileBusy(FailureScenario[PodView, Busy]):
    """Lets a pod compute on one device, requests another configuration, deletes the pod, and requests it again."""

    summary: ClassVar = "request another configuration while a pod computes, and again without the pod"
    needs: ClassVar = Needs(devices=1, configurations=2)
    cost: ClassVar = 25.0

    def start(self, node: NodeInCell) -> PodView:
        """Start the pod on one of the devices of the cell."""
        return node.workloads.hold(min(node.expected.resources))

    def observe(self, node: NodeInCell, started: PodView) -> Busy:
        """Request the other configuration while the pod holds its device, and after that."""
        name = node.other_configuration
        device = node.workloads.held_device(started)
        interruption = Interruption(node)
        node.request(name)
        refused = interruption.trial(name)
        holder = node.workloads.holder(started, device)
        node.workloads.remove()
        drained = attempt(node, name, resources=node.resources_of(name))
        return Busy(holder, refused, interruption.boots, node.target.entries(name), drained)


class StartPodsDuringChange(FailureScenario[None, tuple[StartedPod, ...]]):
    """Creates pods for devices of the cell while its layout is being made, when the node advertises nothing."""

    summary: ClassVar = "create pods while the GPUs are changed"
    needs: ClassVar = Needs(devices=1, configurations=2)
    cost: ClassVar = 30.0

    def start(self, node: NodeInCell) -> None:
        """Do nothing."""

    def observe(self, node: NodeInCell, started: None) -> tuple[StartedPod, ...]:
        """Leave the cell, ask for it again, create the pods, and wait until they run or have ended."""
        del started
        node.request(node.other_configuration)
        interruption = Interruption(node)
        node.ask(node.cell.configuration)
        interruption.await_state(State.PENDING)
        interruption.await_nothing_advertised()
        resource = min(node.expected.resources)
        count = min(_AT_ONCE, node.expected.resources[resource])
        pods = [node.workloads.hold(resource) for _ in range(count)]
        interruption.await_state(State.SUCCESS, State.FAILED)
        return tuple(node.workloads.running(pod) for pod in pods)
