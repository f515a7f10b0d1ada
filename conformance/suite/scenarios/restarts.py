"""Scenarios: pods of operands are deleted, while the node is at rest and while it is reconfigured."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from conformance.expect.trial import Trial
from conformance.operations.manager_log import manager_pod
from conformance.spec.names import (
    DRIVER_APP,
    MIG_MANAGER_APP,
    TOOLKIT_APP,
    VALIDATOR_APP,
    State,
)
from conformance.suite.interruptions import Interruption
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import FailureScenario, Needs

_KEPT: Final = (DRIVER_APP, TOOLKIT_APP, VALIDATOR_APP)
"""Apps whose pods are not deleted: without the driver the GPUs lose their layout, and the others prepare the node."""


@dataclass(frozen=True)
class Restarts:
    """What became of a node whose operands were deleted.

    Attributes:
        trial: What happened from before the first deletion until the node was at rest again.
        deleted: Apps whose pods were deleted, in order.
    """

    trial: Trial
    deleted: tuple[str, ...]


class DeleteOperands(FailureScenario[None, Restarts]):
    """Deletes the pod of one operand after the other, mig-manager's last, each when the one before is back."""

    summary: ClassVar = "delete the operands' pods one after the other"
    cost: ClassVar = 10.0

    def start(self, node: NodeInCell) -> None:
        """Do nothing."""

    def observe(self, node: NodeInCell, started: None) -> Restarts:
        """Delete the pods, wait for new ones, and for mig-manager to have looked at the label."""
        del started
        interruption = Interruption(node)
        pods = [pod for pod in interruption.operands if pod.app not in _KEPT]
        for pod in sorted(pods, key=lambda pod: (pod.app == MIG_MANAGER_APP, pod.app)):
            interruption.replace(pod)
        interruption.await_manager()
        trial = interruption.trial("", resources=node.expected.resources)
        return Restarts(trial, tuple(pod.app for pod in pods))


class DeleteManagerAtWork(FailureScenario[None, Restarts]):
    """Leaves the cell, asks for its configuration again, and deletes mig-manager's pod while it is at work."""

    summary: ClassVar = "delete mig-manager's pod while it changes the GPUs"
    needs: ClassVar = Needs(configurations=2)
    cost: ClassVar = 30.0

    def start(self, node: NodeInCell) -> None:
        """Do nothing."""

    def observe(self, node: NodeInCell, started: None) -> Restarts:
        """Delete the pod as soon as the state is `pending`, and wait for the answer of its successor."""
        del started
        node.request(node.other_configuration)
        interruption = Interruption(node)
        node.ask(node.cell.configuration)
        interruption.await_state(State.PENDING)
        if (pod := manager_pod(node.cluster, node.name)) is not None:
            interruption.replace(pod)
        interruption.await_state(State.SUCCESS, State.FAILED)
        trial = interruption.trial(node.cell.configuration, resources=node.expected.resources)
        return Restarts(trial, (MIG_MANAGER_APP,))
