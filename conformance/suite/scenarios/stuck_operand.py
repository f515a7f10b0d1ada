"""Scenario: the device plugin's pod does not go away, so mig-manager cannot go on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from conformance.expect.trial import Trial
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import FailureScenario, Needs
from conformance.suite.trials import TrialWatch, attempt, recover


@dataclass(frozen=True)
class StuckOperand:
    """A request while the pod of an operand does not go away.

    Attributes:
        stuck: The request, watched for `limits.stuck` or until mig-manager answered.
        third: A third configuration, requested once the pod could go.
        recovery: The configuration of the cell.
    """

    stuck: Trial
    third: Trial
    recovery: Trial


class KeepPlugin(FailureScenario[None, StuckOperand]):
    """Keeps the device plugin's pod with a finalizer, and requests another configuration."""

    summary: ClassVar = "request a configuration while the device plugin's pod cannot go away, and again when it can"
    needs: ClassVar = Needs(devices=1, configurations=3)
    changes: ClassVar = ("a finalizer on the device plugin's pod, for up to six minutes",)
    cost: ClassVar = 330.0

    def start(self, node: NodeInCell) -> None:
        """Do nothing."""

    def observe(self, node: NodeInCell, started: None) -> StuckOperand:
        """Keep the pod during a request, let it go, and make two requests more.

        A request that finds its configuration applied would leave the operands paused, so the first of them is for a
        configuration that the GPUs cannot have: docs/reference/mig-manager.md#the-resumed-flag. Its name is another one
        because a label that has the value already would have to be removed for a moment, in which an operator before
        v26.7.0 may write its default.
        """
        del started
        cluster, other, watch = node.cluster, node.other_configuration, TrialWatch(node)
        with watch.held_up(other):
            watch.watch_for(cluster.limits.stuck, "mig-manager to give up waiting for the device plugin")
            stuck = watch.trial(other)
        third = attempt(node, node.configuration_beside(node.cell.configuration, other))
        return StuckOperand(stuck, third, recover(node))
