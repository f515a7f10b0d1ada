"""Scenario: mig-manager may reboot nodes, and the MIG mode cannot be set because a pod uses a GPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Final

from conformance.cluster import paths
from conformance.cluster.pod_view import PodView
from conformance.expect.trial import Trial
from conformance.operations.fields import Value, policy_field
from conformance.operations.manager_file import restart_manager_with
from conformance.operations.mig_cluster import MigCluster
from conformance.spec.mig_parted import Entry
from conformance.spec.names import State
from conformance.suite.interruptions import Interruption
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import ClusterScenario, Effect, Needs, Nodes

WITH_REBOOT: Final = "WITH_REBOOT"


@dataclass(frozen=True)
class ModeReboot:
    """A request for which mig-manager had to reboot the node.

    Attributes:
        trial: The request, until the node was at rest after the boot.
        boots: Boot ids that the node took meanwhile, in order.
        entries: Entries of the requested configuration.
    """

    trial: Trial
    boots: tuple[str, ...]
    entries: tuple[Entry, ...]


class RebootForMode(ClusterScenario[PodView, ModeReboot]):
    """Sets WITH_REBOOT, lets a pod compute on a GPU, and requests a configuration with MIG; the reboot ends the pod."""

    summary: ClassVar = "set WITH_REBOOT and request MIG while a pod uses a GPU: the node reboots"
    effect: ClassVar = Effect.REBOOT
    needs: ClassVar = Needs(devices=1, configurations=2)
    changes: ClassVar = (
        "ClusterPolicy spec.migManager.env, which restarts mig-manager on every GPU node",
        "the node is rebooted by mig-manager",
    )
    cost: ClassVar = 600.0

    def __init__(self) -> None:
        self._former: Value = None

    def start(self, node: NodeInCell) -> PodView:
        """Start the pod."""
        return node.workloads.hold(min(node.expected.resources))

    def change(self, cluster: MigCluster, nodes: Nodes) -> None:
        """Set WITH_REBOOT beside the variables that mig-manager has."""
        self._former = _environment(cluster)
        others = [item for item in self._former or () if item["name"] != WITH_REBOOT]
        _set(cluster, nodes, [*others, {"name": WITH_REBOOT, "value": "true"}])

    def observe(self, node: NodeInCell, started: PodView) -> ModeReboot:
        """Request the configuration, and wait for the reboot and what follows it."""
        name = node.other_configuration
        node.workloads.held_device(started)
        interruption = Interruption(node)
        node.ask(name)
        with interruption.away():
            interruption.await_state(State.REBOOTING, State.SUCCESS, State.FAILED)
            if State.REBOOTING in interruption.states:
                interruption.await_boot()
            interruption.await_manager()
            trial = interruption.trial(name)
        return ModeReboot(trial, interruption.boots, node.target.entries(name))

    def undo(self, cluster: MigCluster, nodes: Nodes) -> None:
        """Give mig-manager its former variables."""
        if _environment(cluster) != self._former:
            _set(cluster, nodes, self._former)


def _set(cluster: MigCluster, nodes: Nodes, environment: Value) -> None:
    field = policy_field(cluster.policy().name, "migManager", "env")
    restart_manager_with(cluster, field, environment, nodes, "other variables")


def _environment(cluster: MigCluster) -> Any:
    policy = cluster.transport.get(paths.policy(cluster.policy().name))
    return (policy["spec"].get("migManager") or {}).get("env")
