"""Puts back what a journal recorded, verifies the result, and reports the differences.

A failed step does not prevent the others: everything that can be put back is put back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from conformance.cluster import paths
from conformance.cluster.errors import ApiError, ClusterError
from conformance.cluster.transport import PatchKind
from conformance.cluster.views import Raw
from conformance.operations.changed_since import (
    other_labels,
    other_policy,
    other_specs,
    other_taints,
    removed_answer,
)
from conformance.operations.comparison import Comparison, compare, compare_created, describe_foreign
from conformance.operations.entry import Change
from conformance.operations.errors import ForeignChangeError, OperatorGoneError
from conformance.operations.fields import Field, guarded_patch, label, look_up, policy_field, shortest_absent
from conformance.operations.journal import Journal
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.node_configurations import NodeConfigurations
from conformance.operations.rejoining import lacking, put_back
from conformance.operations.restored import Restore, RestoreNotes, RestoreOutcome
from conformance.operations.strategy import CARRIERS
from conformance.operations.verification import verify
from conformance.spec.names import MIG_CONFIG, MIG_CONFIG_STATE, Strategy


def restore(
    cluster: MigCluster, journal: Journal, *, at_once: int | None = None, hurried: Callable[[], bool] = lambda: False
) -> Restore:
    """Put back every field that still has a value of the suite, and forget the journal if all is as it was then.

    The order is: ConfigMaps and other objects, the ClusterPolicy, `mig.config` of the nodes, other fields of the nodes;
    once all that is verified, cordons; then objects that the suite created. Only the strategy `single` comes after the
    nodes, because an uneven configuration is an error under it. Between these steps, mig-manager's answers are awaited,
    and nothing else: what is on the way there need not become Ready. A node that is not Ready gets its label back and
    is not awaited; it keeps the cordon until it is as it was found. Without a ClusterPolicy, nothing is awaited: there
    is no operator, and the one that is installed next applies the labels.

    Args:
        cluster: The cluster; its journal must be `journal`, or None.
        journal: What was found and changed.
        at_once: Maximum number of nodes to reconfigure at the same time; None means the limit of `side_by_side`.
        hurried: Whether to make all changes without waiting for their effect. The caller also ends the waits that are
            in progress.

    Returns:
        The report. A ClusterError becomes a difference in it; other exceptions propagate.
    """
    if journal.empty:
        return Restore(RestoreOutcome.NOT_NEEDED)
    cluster.guard.forgive()
    journal.finishing = True
    try:
        cluster.transport.probe()
    except ClusterError as error:
        return Restore().worse(error, "nothing was put back")
    # What others changed would end the restore; each write compares with what the suite knows instead.
    before, check = cluster.journal, cluster.before_check
    cluster.journal, cluster.before_check = journal, cluster.guard.check_present
    try:
        return _Restoring(cluster, journal, at_once, hurried).run()
    finally:
        cluster.journal, cluster.before_check = before, check


class _Restoring:
    def __init__(self, cluster: MigCluster, journal: Journal, at_once: int | None, hurried: Callable[[], bool]) -> None:
        self._cluster = cluster
        self._journal = journal
        self._hurried = hurried
        self._compared: list[Comparison] = []
        self._notes = RestoreNotes()
        self._mark = cluster.timeline.mark()
        self._configurations = NodeConfigurations(cluster, self._notes, at_once, hurried)

    def run(self) -> Restore:
        for entry in [entry for entry in self._journal.entries.values() if entry.deleted]:
            with self._notes.recording():
                self._rejoin(entry.object.rpartition("/")[2])
        self._cluster.before_check = self._check
        for entry in list(self._journal.entries.values()):
            with self._notes.recording(Field(entry.object, ())):
                self._compared.append(compare(self._cluster, entry))
        for one in self._compared:
            self._notes.since.update(one.changed_since)
            if one.asked_before:
                self._notes.since[label(one.name, MIG_CONFIG)] = one.asked_before
        nodes = [one for one in self._compared if one.entry.object.startswith(paths.nodes())]
        policies = [one for one in self._compared if one.entry.object.startswith(paths.policies())]
        others = [one for one in self._compared if one not in nodes and one not in policies]
        for one in others:
            self._fields(one, lambda field: bool(field.keys))
        self._policies(policies)
        steps: list[Callable[[], None]] = [
            lambda: self._strategies(policies),
            lambda: self._configurations.put_back(nodes),
        ]
        if any(change.original == Strategy.SINGLE for one in policies for change in self._strategy(one).values()):
            steps.reverse()
        for step in steps:
            step()
        nodes = [self._compare_again(one) for one in nodes]
        for one in nodes:
            self._fields(one, lambda field: not field.is_cordon and field.label != MIG_CONFIG)
            self._configurations.remove(one)
        self._verify()
        for one in nodes:
            if not self._keeps_cordon(one):
                self._fields(one, lambda field: field.is_cordon)
        for one in others:
            self._delete_created(one)
        return self._report()

    def _compare_again(self, one: Comparison) -> Comparison:
        """Compare a node once more: mig-manager wrote its labels meanwhile, from what it had read before."""
        after = one
        with self._notes.recording():
            after = compare(self._cluster, self._journal.entries[one.entry.object])
            self._notes.since.update(after.changed_since)
        self._compared = [after if it is one else it for it in self._compared]
        return after

    # Steps ---------------------------------------------------------------------------------------------------------

    def _rejoin(self, name: str) -> None:
        """Write on a Node object that the suite deleted what was there, once kubelet has registered it again."""

        def is_there() -> bool:
            return self._cluster.find_node(name) is not None

        if not self._hurried():
            self._cluster.give_time(is_there, f"node {name} to be registered again", self._cluster.limits.reboot)
        if not is_there():
            raise ClusterError(
                f"the suite deleted node {name}, and its kubelet has not registered it again: restart kubelet there, "
                "then run `mig-conformance restore apply`; if it is gone for good, `mig-conformance restore forget`"
            )
        if stays := put_back(self._cluster, name):
            self._notes.since[Field(paths.node(name), ("metadata",))] = "; ".join(stays)
        self._notes.put_back.append(f"labels, annotations, taints and cordon of node {name}")

    def _policies(self, policies: list[Comparison]) -> None:
        """Put back all but the strategy: mig-manager needs its file before it is asked for what that file offers."""
        for one in policies:
            self._fields(one, lambda field: not _is_strategy(field))

    def _strategies(self, policies: list[Comparison]) -> None:
        for one in policies:
            strategies = self._strategy(one)
            self._fields(one, _is_strategy)
            for change in strategies.values():
                if change.original and not self._hurried():
                    self._await_templates(change.original)

    def _await_templates(self, strategy: str) -> None:
        """Wait until the operator has taken over the strategy; the pods are awaited at the end, with everything."""
        carriers = [view for view in self._cluster.daemon_sets() if view.name in CARRIERS]

        def taken_over() -> bool:
            views = [self._cluster.daemon_set(view.name) for view in carriers]
            return all(view is None or view.strategy == strategy for view in views)

        with self._notes.recording():
            what = f"the operator to write strategy {strategy} into its DaemonSets"
            self._cluster.wait(taken_over, what, self._cluster.limits.strategy_seen)

    def _fields(self, one: Comparison, choose: Callable[[Field], bool]) -> None:
        """Put back the chosen fields of an object, each only if it still has the suite's value."""
        for field, change in one.own.items():
            if one.raw is not None and choose(field):
                with self._notes.recording(field):
                    self._cluster.rewrite(field.object, partial(self._field, field, change))

    def _field(self, field: Field, change: Change, raw: Raw) -> None:
        value = change.original
        if look_up(raw, field.keys) == value:
            return
        if not change.owns(field, raw):
            raise ForeignChangeError(describe_foreign(raw, field, change))
        target = field
        if value is None:
            target = Field(field.object, shortest_absent(raw, field.keys, change.existed))
        self._cluster.patch(field.object, guarded_patch(raw, {target: value}, {}), PatchKind.JSON)
        self._notes.put_back.append(f"{field}: {'removed' if value is None else value}")

    def _delete_created(self, one: Comparison) -> None:
        """Delete an object that the suite created, unless somebody has changed it, also since it was compared."""
        whole = Field(one.entry.object, ())
        if whole not in one.own:
            return

        def delete(raw: Raw) -> None:
            now = compare_created(self._journal.entries[one.entry.object], raw)
            if whole not in now.own:
                raise ForeignChangeError(now.changed_since[whole])
            self._cluster.transport.delete(one.entry.object, version=raw["metadata"]["resourceVersion"])
            self._notes.put_back.append(f"{whole}: deleted")

        with self._notes.recording(whole):
            try:
                self._cluster.rewrite(one.entry.object, delete)
            except ApiError as error:
                if not error.not_found:
                    raise

    def _verify(self) -> None:
        if self._hurried() or not self._cluster.policies():
            return
        with self._notes.recording():
            hindered = bool(self._notes.hindrances)
            found = verify(self._cluster, self._compared)
            self._notes.hindrances += [f"node {name} is not Ready" for name in found.away]
            kept = [one for one in self._compared if one.entry.standing is not None and one.raw is not None]
            for one in kept:
                raw = self._cluster.transport.get(one.entry.object)
                self._notes.differences += lacking(raw, one.entry.standing or {}, one.entry.changes)
            if found.held_up and found.differences:
                self._notes.hindrances.append(f"others keep operands from running with {', '.join(found.held_up)}")
                hindered = True
            # What could not be written differs for that reason.
            (self._notes.hindrances if hindered else self._notes.differences).extend(found.differences)

    def _report(self) -> Restore:
        if self._hurried():
            self._notes.hindrances.append("interrupted before it was certain that everything is back")
        self._note_changes()
        for one in self._compared:
            if (problem := self._configurations.unapplied.get(one.name)) and not self._is_back(one):
                self._notes.differences.append(f"node {one.name}: {problem}")
        self._excuse()
        if not self._notes.problems:
            for path in list(self._journal.entries):
                with self._notes.recording():
                    self._journal.forget(path)
        return self._notes.report()

    def _note_changes(self) -> None:
        """Note what others changed beside the fields of the journal."""
        for one in self._compared:
            if one.raw is None or one.entry.object != paths.node(one.name):
                continue
            with self._notes.recording(Field(one.entry.object, ())):
                self._notes.since |= other_taints(self._cluster, one) | other_labels(self._cluster, one)
                if not (self._hurried() or self._is_away(one) or one.name in self._configurations.unapplied):
                    self._notes.since |= removed_answer(self._cluster, one)
        with self._notes.recording():
            self._notes.since |= other_specs(self._cluster, self._compared)
            self._notes.since |= other_policy(self._cluster, self._compared, self._notes.since)

    def _excuse(self) -> None:
        """Make differences hindrances if others changed something that may be the reason: the cluster is not blamed."""
        names = {one.name for one in self._compared if one.entry.object == paths.node(one.name)}
        found = [self._cluster.guard.trouble(name, self._mark) for name in sorted(names)]
        if self._notes.differences and (why := [text for text in dict.fromkeys(found) if text]):
            self._notes.hindrances += [*why, *self._notes.differences]
            self._notes.differences.clear()

    def _check(self, node: str | None) -> None:
        """End a wait for a node that is away, and every wait if there is no operator any more."""
        self._cluster.guard.check_present(node)
        if not self._cluster.policies():
            raise OperatorGoneError("there is no ClusterPolicy any more")

    # Inside --------------------------------------------------------------------------------------------------------

    @staticmethod
    def _strategy(one: Comparison) -> Mapping[Field, Change]:
        field = policy_field(one.name, "mig", "strategy")
        return {field: one.own[field]} if field in one.own else {}

    def _is_back(self, one: Comparison) -> bool:
        view, found = self._cluster.find_node(one.name), one.entry.found
        if one.raw is None or view is None or found is None:
            return True
        return all(view.labels.get(key) == found.labels.get(key) for key in (MIG_CONFIG, MIG_CONFIG_STATE))

    def _keeps_cordon(self, one: Comparison) -> bool:
        """Whether a node must stay cordoned for now. Without an operator, nobody brings its geometry back later."""
        if self._is_back(one) or not self._cluster.policies():
            return False
        return self._hurried() or self._is_away(one)

    def _is_away(self, one: Comparison) -> bool:
        """Whether nobody can tell yet that a node is as it was: it is not Ready, or mig-manager is kept off it."""
        if one.name in self._configurations.unmanaged:
            return True
        view = self._cluster.find_node(one.name)
        return one.raw is not None and view is not None and not view.ready


def _is_strategy(field: Field) -> bool:
    return field.keys == ("spec", "mig", "strategy")
