"""Brings nodes back to the configurations in which a journal found them: part of a restore."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from conformance.cluster import paths
from conformance.cluster.errors import ClusterError, WaitTimeout
from conformance.operations.comparison import Comparison
from conformance.operations.errors import ForeignChangeError, NodeLostError
from conformance.operations.evidence import Outcome
from conformance.operations.fields import label, look_up
from conformance.operations.held_up import held_up
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.offers import offers
from conformance.operations.reconfigure import reconfigure_node
from conformance.operations.restored import RestoreNotes
from conformance.operations.side_by_side import side_by_side
from conformance.operations.taints import lasting_taints
from conformance.operations.users import gpu_users
from conformance.spec.mig_parted import ALL_DISABLED
from conformance.spec.names import MIG_CONFIG, MIG_CONFIG_STATE, MIG_MANAGER_APP, State


class NodeConfigurations:
    """Requests the original configurations, on all nodes side by side.

    Args:
        cluster: The cluster.
        notes: What the restore has come across.
        at_once: Maximum number of nodes to reconfigure at the same time; None means the limit of `side_by_side`.
        hurried: Whether to make all changes without waiting for their effect.

    Attributes:
        unapplied: Problem by name, for nodes whose configuration mig-manager did not apply.
        unmanaged: Names of the nodes that mig-manager cannot bring back yet: it is not there, or others hold GPUs.
    """

    def __init__(
        self, cluster: MigCluster, notes: RestoreNotes, at_once: int | None, hurried: Callable[[], bool]
    ) -> None:
        self._cluster = cluster
        self._notes = notes
        self._at_once = at_once
        self._hurried = hurried
        self._nodes: Sequence[Comparison] = ()
        self.unapplied: dict[str, str] = {}
        self.unmanaged: set[str] = set()

    def put_back(self, nodes: Sequence[Comparison]) -> None:
        """Bring the nodes back as far as nobody else has asked for another configuration, and await the answers."""
        self._nodes = nodes
        custom = None
        with self._notes.recording():
            if self._cluster.policies():
                custom = self._cluster.policy().config_name
                custom = self._cluster.read_policy().config_name  # the restore may have just written it
        wanted = {one.name: target for one in nodes if (target := self._wanted(one, custom)) is not None}
        outcomes = side_by_side(
            self._cluster, wanted, lambda name: self._reconfigure(name, wanted[name]), at_once=self._at_once
        )
        for name, outcome in outcomes.items():
            if isinstance(outcome, Exception):
                with self._notes.recording(label(name, MIG_CONFIG)):
                    raise outcome

    def remove(self, one: Comparison) -> None:
        """Remove `mig.config` and its state from a node that had none."""
        field = label(one.name, MIG_CONFIG)
        change = one.entry.changes.get(field)
        if one.raw is None or change is None or change.original is not None or not one.untouched(field):
            return
        with self._notes.recording(field):
            now = look_up(self._cluster.transport.get(one.entry.object), field.keys)  # it may have just been written
            if self._hurried() or (now not in (None, ALL_DISABLED) and self._cluster.policies()):
                return
            self._cluster.set_labels(one.name, {MIG_CONFIG: None, MIG_CONFIG_STATE: None})

    def _wanted(self, one: Comparison, custom: str | None) -> str | None:
        """The configuration to ask for; None if the node has it, must keep what others set, or cannot get it back.

        `custom` is the ConfigMap that the ClusterPolicy names; None for none.
        A node without `mig.config` gets `all-disabled`; the label is removed afterwards.
        """
        field = label(one.name, MIG_CONFIG)
        change = one.entry.changes.get(field)
        view = self._cluster.find_node(one.name)
        if one.raw is None or view is None or change is None or not one.untouched(field):
            return None
        state = view.labels.get(MIG_CONFIG_STATE)
        if field not in one.own and state == (one.entry.found and one.entry.found.labels.get(MIG_CONFIG_STATE)):
            return None
        if not self._cluster.policies():  # nobody would apply the default
            return str(change.original) if change.original else None
        target = str(change.original or ALL_DISABLED)
        problem = ""
        with self._notes.recording():
            if users := gpu_users(self._cluster, one.name):
                self._hindered(one.name, f"pods of other users hold GPUs ({', '.join(map(str, users))})")
                return None
            if not offers(self._cluster, one.name, target, custom):
                problem = f"its mig-parted file has no configuration {target}"
        if problem:
            self._notes.differences.append(f"node {one.name} keeps its current configuration: {problem}")
        return None if problem else target

    def _reconfigure(self, name: str, target: str) -> None:
        cluster = self._cluster
        self._notes.put_back.append(f"configuration of node {name}: {target}")
        if not self._hurried() and self._answers(name):
            try:
                evidence = reconfigure_node(cluster, name, target, settle=False, again=False)
            except WaitTimeout:
                if self._answers(name):
                    self._write_back(name, target)
                    self.unmanaged.add(name)
                    raise
            except (ForeignChangeError, NodeLostError):
                if self._answers(name):
                    raise
            except ClusterError:
                if not self._hurried():
                    raise
            else:
                if evidence.outcome not in (Outcome.SUCCESS, Outcome.KEPT):
                    self._not_applied(name, evidence.problem)
                return
        self._write_back(name, target)

    def _write_back(self, name: str, target: str) -> None:
        """Set the label without waiting for mig-manager, which is not there: it applies it when it is back."""
        if self._cluster.node(name).labels.get(MIG_CONFIG) != target:  # the state is that of another configuration
            self._cluster.set_labels(name, {MIG_CONFIG: target, MIG_CONFIG_STATE: None})

    def _hindered(self, name: str, why: str) -> None:
        self.unmanaged.add(name)
        self._notes.hindrances.append(f"node {name} keeps its current configuration: {why}")

    def _answers(self, name: str) -> bool:
        """Whether mig-manager can answer: the node is Ready, soon or after its reboot, and nobody keeps it off it.

        A node where it cannot only gets its label back.
        """
        if not self._cluster.policies():
            return False
        limits, node = self._cluster.limits, self._cluster.node(name)
        if causes := self._without_manager(name):
            self.unmanaged.add(name)
            self._notes.hindrances.append(
                f"node {name}: {', '.join(causes)} keeps {MIG_MANAGER_APP} away, so that its configuration is not "
                "applied; somebody else set it: remove it, then run `mig-conformance restore apply`"
            )
            return False
        if node.ready:
            return True
        limit = limits.reboot if node.labels.get(MIG_CONFIG_STATE) == State.REBOOTING else limits.node_away
        try:
            self._cluster.give_time(lambda: self._cluster.node(name).ready, "the node to be Ready", limit, node=name)
        except NodeLostError:
            return False
        return self._cluster.node(name).ready

    def _without_manager(self, name: str) -> tuple[str, ...]:
        """Return what others changed that keeps mig-manager off a node; empty if it is Ready, or for other reasons."""
        if any(pod.ready and not pod.terminating for pod in self._cluster.operands(name, MIG_MANAGER_APP)):
            return ()
        return next((held_up(self._cluster, one) for one in self._nodes if one.name == name), ())

    def _not_applied(self, name: str, problem: str) -> None:
        """Note that mig-manager did not bring a configuration back: because of a taint of somebody else, or so.

        It may yet: one that is about to be restarted with another file answers from the file that it had.
        """
        found = [one.entry.found for one in self._nodes if one.entry.object == paths.node(name)]
        tainted = any(it is not None and it.taints != lasting_taints(self._cluster.node(name).taints) for it in found)
        if tainted:
            self._notes.since[label(name, MIG_CONFIG)] = f"node {name}: {problem}"
        else:
            self.unapplied[name] = problem
