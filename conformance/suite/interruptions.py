"""Interruptions: what becomes of a node whose life a scenario interrupts, from the moment before to rest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from conformance.cluster.changes import NodeChange
from conformance.cluster.pod_view import PodView
from conformance.cluster.views import NodeView
from conformance.expect.trial import NodeSnapshot, Trial
from conformance.operations.manager_log import LOG_PAUSE, has_started_since
from conformance.spec.names import CONTROL_PLANE, MIG_CONFIG_STATE, PAUSED, PAUSED_APPS, VALIDATOR_APP, State
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.trials import TrialWatch

REBOOT: Final = ("reboot",)
"""Command of the host."""
_UNITS: Final = {"+rke2": ("rke2-server", "rke2-agent"), "+k3s": ("k3s", "k3s-agent")}
"""systemd units of distributions in which kubelet is part of another program, by what its version contains: on nodes of
the control plane, and on others. Sources: RKE2 documentation, "Quick Start"; K3s documentation, "Architecture"."""


def restart_of_kubelet(node: NodeView) -> tuple[str, ...]:
    """Return the command of the host that restarts kubelet."""
    for mark, (server, agent) in _UNITS.items():
        if mark in node.kubelet:
            return ("systemctl", "restart", server if CONTROL_PLANE in node.labels else agent)
    return ("systemctl", "restart", "kubelet")


class Interruption:
    """Watches one node from now until `trial`, through an interruption of its life.

    What does not come back in time is evidence: no wait of this class fails.

    Args:
        node: The node. Its GPUs are read with a pod, now and at the end.

    Raises:
        InconclusiveError: mig-manager's log cannot be read.
        ClusterError: The cluster could not be used.
    """

    def __init__(self, node: NodeInCell) -> None:
        self._node = node
        self._watch = TrialWatch(node)
        view = node.cluster.node(node.name)
        self._boot_id, self._uid = view.boot_id, view.uid

    @property
    def before(self) -> NodeSnapshot:
        """The node before the interruption."""
        return self._watch.before

    @property
    def operands(self) -> list[PodView]:
        """The operands' pods before the interruption."""
        return self._watch.operands

    def trial(self, configuration: str, *, resources: Mapping[str, int] | None = None) -> Trial:
        """Wait until the operands are back, and return what has happened; see `TrialWatch.trial`."""
        self._give_time(self._operands_are_back, "the operands to be back", self._node.cluster.limits.operands_ready)
        return self._watch.trial(configuration, resources=resources)

    @property
    def mark(self) -> int:
        """Mark of the timeline when the watch began."""
        return self._watch.mark

    def held_up(self, configuration: str) -> AbstractContextManager[PodView]:
        """Ask for a configuration, and keep mig-manager from being done with it; see `TrialWatch.held_up`."""
        return self._watch.held_up(configuration)

    def await_end_of(self, pod: PodView) -> None:
        """Wait until mig-manager has stopped a pod; see `TrialWatch.await_end_of`."""
        self._watch.await_end_of(pod)

    def watch_idle(self) -> None:
        """Watch for `limits.idle` that mig-manager does nothing; end at once when it writes an answer."""
        self._watch.watch_idle()

    @property
    def boots(self) -> tuple[str, ...]:
        """Boot ids that the node took since the interruption, in order."""
        changes = self._node.cluster.timeline.of(NodeChange, self._watch.mark, node=self._node.name)
        return tuple(change.after for change in changes if change.field == "boot_id")

    @property
    def states(self) -> tuple[str | None, ...]:
        """Values that the state label took since the interruption, in order; None for its removal."""
        return self._node.cluster.timeline.values(MIG_CONFIG_STATE, self._node.name, self._watch.mark)

    @contextmanager
    def away(self) -> Iterator[None]:
        """Accept that the node is not Ready during the block."""
        with self._node.cluster.guard.away(self._node.name):
            yield

    def reboot(self) -> None:
        """Reboot the node, and wait until it has gone away; call this within `away`."""
        cluster, name = self._node.cluster, self._node.name
        self._node.workloads.on_host(*REBOOT)
        self._give_time(lambda: not cluster.node(name).ready, "the node to go away", cluster.limits.reboot)

    def await_boot(self) -> None:
        """Wait until the node is there again after a reboot."""
        self._give_time(self._is_booted, "the node to be back", self._node.cluster.limits.reboot)

    def await_registration(self) -> None:
        """Wait until the node is Ready under another UID: its object was deleted, and kubelet has registered it again.

        Raises:
            ClusterError: It does not come within `limits.node_away`, so there is nothing to be observed.
        """
        cluster, name = self._node.cluster, self._node.name

        def is_registered() -> bool:
            return any(it.name == name and it.uid != self._uid and it.ready for it in cluster.nodes())

        cluster.wait(is_registered, f"node {name} to be registered again", cluster.limits.node_away, node=name)

    def restart_kubelet(self) -> None:
        """Restart kubelet on the node, and wait until the command has ended."""
        command = restart_of_kubelet(self._node.cluster.node(self._node.name))
        self._node.workloads.running(self._node.workloads.on_host(*command))

    def replace(self, pod: PodView) -> None:
        """Delete a pod of an operand, and wait until another one is Ready in its place."""
        cluster, name = self._node.cluster, self._node.name
        cluster.delete_pod(pod)

        def is_back() -> bool:
            pods = cluster.operands(name, pod.app)
            return any(it.uid != pod.uid and it.ready for it in pods) and all(it.uid != pod.uid for it in pods)

        self._give_time(is_back, f"another pod in place of {pod}", cluster.limits.operands_ready)

    def await_manager(self, *, run: bool = True) -> None:
        """Wait until mig-manager was started and is idle; with `run` also until it has seen the label of the node."""
        cluster, name = self._node.cluster, self._node.name
        left = cluster.limits.reconfigure
        until = cluster.clock.now() + left
        while not has_started_since(cluster, name, self._watch.position, run=run) and left > 0:
            cluster.observe(lambda: False, LOG_PAUSE, "mig-manager to be Ready and idle", name)
            left = until - cluster.clock.now()

    def await_state(self, *states: State) -> None:
        """Wait until mig-manager has written one of these states."""
        self._give_time(
            lambda: not set(states).isdisjoint(self.states),
            f"mig-manager to write {' or '.join(states)}",
            self._node.cluster.limits.reconfigure,
        )

    def await_nothing_advertised(self) -> None:
        """Wait until the node advertises no GPU and no slice."""
        cluster, name = self._node.cluster, self._node.name
        self._give_time(
            lambda: not cluster.node(name).advertised, "the node to advertise nothing", cluster.limits.operands_ready
        )

    def _operands_are_back(self) -> bool:
        """Whether all operands run that are not paused. The validator may have to wait for resources."""
        cluster, name = self._node.cluster, self._node.name
        labels = cluster.node(name).labels
        paused = {app for app, label in PAUSED_APPS.items() if labels.get(label) == PAUSED}
        wanted = {pod.app for pod in self.operands} - paused - {VALIDATOR_APP}
        return wanted <= {pod.app for pod in cluster.operands(name) if pod.ready and not pod.terminating}

    def _is_booted(self) -> bool:
        view = self._node.cluster.node(self._node.name)
        return view.ready and view.boot_id != self._boot_id

    def _give_time(self, condition: Callable[[], bool], what: str, limit: float) -> None:
        self._node.cluster.give_time(condition, what, limit, node=self._node.name)
