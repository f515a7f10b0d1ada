"""Scenarios: the Node object is deleted and registered again, without the label `mig.config` and with it.

They run on a simulated cluster only. On a live one it would take the right to delete and create nodes, and the consent
of everybody whose pods run there: volumes, network and cloud controller know the node by its object, and the garbage
collector deletes all pods of a node whose object is gone for 40 s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from conformance.expect.node import ExpectedNode
from conformance.expect.trial import Trial
from conformance.operations.manager_log import manager_pod
from conformance.operations.rejoining import create_node, delete_node, put_back
from conformance.spec.mig_parted import ALL_DISABLED
from conformance.spec.names import MIG_CONFIG, State
from conformance.suite.interruptions import Interruption, restart_of_kubelet
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import Effect, FailureScenario, Needs
from conformance.suite.trials import recover

_PUT_BACK: Final = "labels, annotations, taints and cordon that others had set on it are put back"


@dataclass(frozen=True)
class RegisteredNode:
    """A node whose object was deleted and that kubelet has registered again, without `mig.config`.

    Attributes:
        expected: What the node must show in the operator's default configuration.
        trial: What happened from before the deletion until the node was at rest in the default.
        recovery: The request for the configuration of the cell that follows it.
    """

    expected: ExpectedNode
    trial: Trial
    recovery: Trial


@dataclass(frozen=True)
class JoinedNode:
    """A machine that boots and finds a Node object with `mig.config` set.

    Attributes:
        trial: What happened from before the reboot until the node was at rest.
        recovery: The request for the configuration of the cell that follows it.
    """

    trial: Trial
    recovery: Trial


class RecreateNode(FailureScenario[None, RegisteredNode]):
    """Deletes the Node object, restarts kubelet, and puts back what others had set, apart from `mig.config`."""

    summary: ClassVar = "delete the Node object, and have kubelet register it again"
    effect: ClassVar = Effect.REBOOT
    needs: ClassVar = Needs(default_configuration=True, simulator=True)
    changes: ClassVar = (f"the Node object is deleted and registered again; {_PUT_BACK}",)
    cost: ClassVar = 120.0

    def start(self, node: NodeInCell) -> None:
        """Do nothing."""

    def observe(self, node: NodeInCell, started: None) -> RegisteredNode:
        """Delete the object while a pod waits on the machine that restarts kubelet when it is deleted in turn."""
        del started
        cluster = node.cluster
        interruption = Interruption(node)
        restart = node.workloads.on_host_when_deleted(*restart_of_kubelet(cluster.node(node.name)))
        node.workloads.running(restart)
        with interruption.away():
            delete_node(cluster, node.name)
            cluster.delete_pod(restart)
            interruption.await_registration()
            put_back(cluster, node.name)
            interruption.await_state(State.SUCCESS, State.FAILED)
        entries = node.target.entries(ALL_DISABLED)
        expected = node.expected.asked_for(ALL_DISABLED, interruption.before.gpus, entries)
        trial = interruption.trial(ALL_DISABLED, resources=expected.resources)
        return RegisteredNode(expected, trial, _back(node))


class JoinWithLabel(FailureScenario[None, JoinedNode]):
    """Reboots the machine, and replaces its Node object meanwhile by one with the label and without a state.

    So a node joins whose label was set before its first start: by kubelet's `--node-labels`, by an autoscaler, or by
    an administrator who is quick.
    """

    summary: ClassVar = "have a node join whose mig.config label is set before its kubelet starts"
    effect: ClassVar = Effect.REBOOT
    needs: ClassVar = Needs(simulator=True)
    changes: ClassVar = (f"the node is rebooted, and its Node object replaced; {_PUT_BACK}",)
    cost: ClassVar = 345.0

    def start(self, node: NodeInCell) -> None:
        """Do nothing."""

    def observe(self, node: NodeInCell, started: None) -> JoinedNode:
        """Replace the object while the machine is away."""
        del started
        cluster, configuration = node.cluster, node.cell.configuration
        interruption = Interruption(node)
        with interruption.away():
            interruption.reboot()
            delete_node(cluster, node.name)
            create_node(cluster, node.name, {MIG_CONFIG: configuration})
            interruption.await_boot()
            interruption.await_manager()
            trial = interruption.trial(configuration, resources=node.expected.resources)
        return JoinedNode(trial, _back(node))


def _back(node: NodeInCell) -> Trial:
    """Bring the node back to its cell, also if nothing brings mig-manager there before its label is set."""
    if manager_pod(node.cluster, node.name) is None:
        node.ask(node.cell.configuration)
        node.request(node.cell.configuration)
    return recover(node)
