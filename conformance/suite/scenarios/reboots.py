"""Scenarios: the node is rebooted, with its label as it is, changed or removed; and its kubelet is restarted."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from conformance.expect.devices import DeviceUser
from conformance.expect.scheduling import StartedPod
from conformance.expect.trial import Trial
from conformance.spec.mig_parted import ALL_DISABLED
from conformance.spec.names import MIG_CONFIG
from conformance.suite.interruptions import Interruption
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import Effect, FailureScenario, Needs
from conformance.suite.trials import recover


@dataclass(frozen=True)
class Reboot:
    """One reboot of a node.

    Attributes:
        trial: What happened from before the reboot until the node was at rest again.
        boots: Boot ids that the node took, in order.
    """

    trial: Trial
    boots: tuple[str, ...]


@dataclass(frozen=True)
class ChangedReboot:
    """A reboot during which the label was changed or removed, and the way back to the cell.

    Attributes:
        reboot: The reboot.
        recovery: The request for the configuration of the cell that follows it.
    """

    reboot: Reboot
    recovery: Trial


@dataclass(frozen=True)
class UnlabelledReboot(ChangedReboot):
    """A reboot of a node whose label was removed.

    Attributes:
        waiting: A pod that asked for a device of the former layout after the reboot.
    """

    waiting: StartedPod


class RebootNode(FailureScenario[None, Reboot]):
    """Reboots the node and leaves its label alone."""

    summary: ClassVar = "reboot the node"
    effect: ClassVar = Effect.REBOOT
    changes: ClassVar = ("the node is rebooted by a privileged pod of the suite",)
    cost: ClassVar = 330.0

    def start(self, node: NodeInCell) -> None:
        """Do nothing."""

    def observe(self, node: NodeInCell, started: None) -> Reboot:
        """Reboot, and wait until mig-manager has seen the label."""
        del started
        interruption = Interruption(node)
        with interruption.away():
            interruption.reboot()
            interruption.await_boot()
            interruption.await_manager()
            trial = interruption.trial(node.cell.configuration, resources=node.expected.resources)
        return Reboot(trial, interruption.boots)


class RebootWithoutLabel(FailureScenario[None, UnlabelledReboot]):
    """Removes the label, reboots the node, starts a pod for a device of the former layout, and sets the label again."""

    summary: ClassVar = "reboot the node without its mig.config label"
    effect: ClassVar = Effect.REBOOT
    needs: ClassVar = Needs(devices=1)
    changes: ClassVar = ("the node is rebooted by a privileged pod of the suite",)
    cost: ClassVar = 345.0

    def start(self, node: NodeInCell) -> None:
        """Do nothing."""

    def observe(self, node: NodeInCell, started: None) -> UnlabelledReboot:
        """Remove the label while no mig-manager runs that could see it."""
        del started
        interruption = Interruption(node)
        with interruption.away():
            interruption.reboot()
            node.cluster.set_labels(node.name, {MIG_CONFIG: None})
            interruption.await_boot()
            interruption.await_manager(run=False)
            waiting = node.workloads.pending(node.workloads.start(min(node.expected.resources)))
            reboot = Reboot(interruption.trial(""), interruption.boots)
        node.workloads.remove()
        return UnlabelledReboot(reboot, recover(node), waiting)


class RebootWithOtherLabel(FailureScenario[None, ChangedReboot]):
    """Asks for `all-disabled` while the node is away, and for the configuration of the cell afterwards."""

    summary: ClassVar = "reboot the node and change its mig.config label meanwhile"
    effect: ClassVar = Effect.REBOOT
    changes: ClassVar = ("the node is rebooted by a privileged pod of the suite",)
    cost: ClassVar = 330.0

    def start(self, node: NodeInCell) -> None:
        """Do nothing."""

    def observe(self, node: NodeInCell, started: None) -> ChangedReboot:
        """Change the label while no mig-manager runs that could see it."""
        del started
        interruption = Interruption(node)
        with interruption.away():
            interruption.reboot()
            node.ask(ALL_DISABLED)
            interruption.await_boot()
            interruption.await_manager()
            reboot = Reboot(interruption.trial(ALL_DISABLED), interruption.boots)
        return ChangedReboot(reboot, recover(node))


@dataclass(frozen=True)
class KubeletRestart:
    """One restart of kubelet on a node.

    Attributes:
        trial: What happened from before the restart until the resources were advertised again.
        users: A pod that holds a device since before the restart, and one that got a device of the same resource after
            it; empty where no resource has two devices.
    """

    trial: Trial
    users: tuple[DeviceUser, ...]


class RestartKubelet(FailureScenario[None, KubeletRestart]):
    """Restarts kubelet on the node while a pod holds a device, and starts another one afterwards."""

    summary: ClassVar = "restart kubelet on the node while a pod holds a device"
    effect: ClassVar = Effect.REBOOT
    changes: ClassVar = ("kubelet of the node is restarted by a privileged pod of the suite",)
    cost: ClassVar = 20.0

    def start(self, node: NodeInCell) -> None:
        """Do nothing."""

    def observe(self, node: NodeInCell, started: None) -> KubeletRestart:
        """Restart it, and wait until the resources are advertised again."""
        del started
        resources = [name for name, count in sorted(node.expected.resources.items()) if count > 1][:1]
        pods = [node.workloads.start(name) for name in resources]
        before = [node.workloads.devices(pod, name) for pod, name in zip(pods, resources, strict=True)]
        interruption = Interruption(node)
        interruption.restart_kubelet()
        trial = interruption.trial("", resources=node.expected.resources)
        there = [replace(user, pod=node.workloads.running(pod)) for user, pod in zip(before, pods, strict=True)]
        later = [node.workloads.devices(node.workloads.start(name), name) for name in resources]
        node.workloads.remove()
        return KubeletRestart(trial, (*there, *later))
