"""Puts back what a journal recorded, verifies the result, and reports the differences.

A failed step does not prevent the others: everything that can be put back is put back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial

from conformance.cluster import paths
from conformance.cluster.errors import ApiError, ClusterError, InconclusiveError, WaitTimeout
from conformance.cluster.transport import PatchKind
from conformance.cluster.views import Raw
from conformance.operations.comparison import Comparison, compare, compare_created, describe_foreign
from conformance.operations.entry import Change
from conformance.operations.errors import ForeignChangeError, NodeLostError
from conformance.operations.fields import Field, guarded_patch, label, look_up, policy_field, shortest_absent
from conformance.operations.journal import Journal, lasting_taints
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.offers import offers
from conformance.operations.reconfigure import reconfigure_node
from conformance.operations.rejoining import lacking, put_back
from conformance.operations.restored import Restore, RestoreOutcome
from conformance.operations.side_by_side import side_by_side
from conformance.operations.strategy import CARRIERS
from conformance.operations.users import gpu_users
from conformance.operations.verification import verify
from conformance.spec.mig_parted import ALL_DISABLED
from conformance.spec.names import MIG_CONFIG, MIG_CONFIG_STATE, State, Strategy


def restore(
    cluster: MigCluster, journal: Journal, *, at_once: int | None = None, hurried: Callable[[], bool] = lambda: False
) -> Restore:
    """Put back every field that still has a value of the suite, and forget the entries of what is as it was.

    The order is: ConfigMaps and other objects, the ClusterPolicy, `mig.config` of the nodes, other fields of the nodes;
    once all that is verified, cordons; then objects that the suite created. The strategy `single` comes after the
    nodes, because an uneven configuration is an error under it. Between these steps, mig-manager's answers are awaited,
    and nothing else: what is on the way there need not become Ready. A node that is not Ready gets its label back and
    is not awaited; it keeps the cordon until it is as it was found.

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
        self._at_once = at_once
        self._hurried = hurried
        self._compared: list[Comparison] = []
        self._differences: list[str] = []
        self._hindrances: list[str] = []
        self._unapplied: dict[str, str] = {}
        self._since: dict[Field, str] = {}
        self._put_back: list[str] = []

    def run(self) -> Restore:
        for entry in [entry for entry in self._journal.entries.values() if entry.deleted]:
            with self._recording():
                self._rejoin(entry.object.rpartition("/")[2])
        for entry in list(self._journal.entries.values()):
            with self._recording(Field(entry.object, ())):
                self._compared.append(compare(self._cluster, entry))
        for one in self._compared:
            self._since.update(one.changed_since)
            if one.asked_before:
                self._since[label(one.name, MIG_CONFIG)] = one.asked_before
        nodes = [one for one in self._compared if one.entry.object.startswith(paths.nodes())]
        policies = [one for one in self._compared if one.entry.object.startswith(paths.policies())]
        others = [one for one in self._compared if one not in nodes and one not in policies]
        for one in others:
            self._fields(one, lambda field: bool(field.keys))
        steps: list[Callable[[], None]] = [lambda: self._policies(policies), lambda: self._configurations(nodes)]
        if any(change.original == Strategy.SINGLE for one in policies for change in self._strategy(one).values()):
            steps.reverse()
        for step in steps:
            step()
        nodes = [self._compare_again(one) for one in nodes]
        for one in nodes:
            self._fields(one, lambda field: not field.is_cordon and field.label != MIG_CONFIG)
            self._absent_configuration(one)
        self._verify()
        for one in nodes:
            if self._is_back(one) or not (self._hurried() or self._is_away(one)):
                self._fields(one, lambda field: field.is_cordon)
        for one in others:
            self._delete_created(one)
        return self._report()

    def _compare_again(self, one: Comparison) -> Comparison:
        """Compare a node once more: mig-manager wrote its labels meanwhile, from what it had read before."""
        after = one
        with self._recording():
            after = compare(self._cluster, self._journal.entries[one.entry.object])
            self._since.update(after.changed_since)
        self._compared = [after if it is one else it for it in self._compared]
        return after

    # Steps ---------------------------------------------------------------------------------------------------------

    def _rejoin(self, name: str) -> None:
        """Write on a Node object that the suite deleted what was there, once kubelet has registered it again."""

        def is_there() -> bool:
            return any(node.name == name for node in self._cluster.nodes())

        if not self._hurried():
            self._cluster.give_time(is_there, f"node {name} to be registered again", self._cluster.limits.reboot)
        if not is_there():
            raise ClusterError(
                f"the suite deleted node {name}, and its kubelet has not registered it again: restart kubelet there, "
                "then run `mig-conformance restore apply`; if it is gone for good, `mig-conformance restore forget`"
            )
        if stays := put_back(self._cluster, name):
            self._since[Field(paths.node(name), ("metadata",))] = "; ".join(stays)
        self._put_back.append(f"labels, annotations, taints and cordon of node {name}")

    def _policies(self, policies: list[Comparison]) -> None:
        for one in policies:
            strategies = self._strategy(one)
            self._fields(one, lambda _: True)
            for change in strategies.values():
                if change.original and not self._hurried():
                    self._await_templates(change.original)

    def _await_templates(self, strategy: str) -> None:
        """Wait until the operator has taken over the strategy; the pods are awaited at the end, with everything."""
        carriers = [view for view in self._cluster.daemon_sets() if view.name in CARRIERS]

        def taken_over() -> bool:
            views = [self._cluster.daemon_set(view.name) for view in carriers]
            return all(view is None or view.strategy == strategy for view in views)

        with self._recording():
            what = f"the operator to write strategy {strategy} into its DaemonSets"
            self._cluster.wait(taken_over, what, self._cluster.limits.strategy_seen)

    def _configurations(self, nodes: list[Comparison]) -> None:
        custom = self._cluster.policy().config_name
        with self._recording():
            custom = self._cluster.read_policy().config_name  # the restore may have just written it
        wanted = {one.name: target for one in nodes if (target := self._wanted(one, custom)) is not None}
        outcomes = side_by_side(
            self._cluster, wanted, lambda name: self._reconfigure(name, wanted[name]), at_once=self._at_once
        )
        for name, outcome in outcomes.items():
            if isinstance(outcome, Exception):
                with self._recording(label(name, MIG_CONFIG)):
                    raise outcome

    def _wanted(self, one: Comparison, custom: str | None) -> str | None:
        """The configuration to ask for; None if the node has it, must keep what others set, or cannot get it back.

        `custom` is the ConfigMap that the ClusterPolicy names; None for none.
        A node without `mig.config` gets `all-disabled`; the label is removed afterwards.
        """
        field = label(one.name, MIG_CONFIG)
        change = one.entry.changes.get(field)
        if one.raw is None or change is None or not one.untouched(field):
            return None
        state = self._cluster.node(one.name).labels.get(MIG_CONFIG_STATE)
        if field not in one.own and state == (one.entry.found and one.entry.found.labels.get(MIG_CONFIG_STATE)):
            return None
        target = str(change.original or ALL_DISABLED)
        problem = ""
        with self._recording():
            if users := gpu_users(self._cluster, one.name):
                problem = f"pods of other users hold GPUs ({', '.join(map(str, users))})"
            elif not offers(self._cluster, one.name, target, custom):
                problem = f"its mig-parted file has no configuration {target}"
        if problem:
            self._differences.append(f"node {one.name} keeps its current configuration: {problem}")
        return None if problem else target

    def _reconfigure(self, name: str, target: str) -> None:
        cluster = self._cluster
        self._put_back.append(f"configuration of node {name}: {target}")
        if not self._hurried() and self._answers(name):
            try:
                evidence = reconfigure_node(cluster, name, target, settle=False, again=False)
            except (ForeignChangeError, NodeLostError, WaitTimeout):
                if self._answers(name):
                    raise
            except ClusterError:
                if not self._hurried():
                    raise
            else:
                if not evidence.applied:
                    self._not_applied(name, evidence.problem)
                return
        if cluster.node(name).labels.get(MIG_CONFIG) != target:  # the state is that of another configuration
            cluster.set_labels(name, {MIG_CONFIG: target, MIG_CONFIG_STATE: None})

    def _answers(self, name: str) -> bool:
        """Whether a node is Ready, soon or because it is rebooting. One that is not only gets its label back."""
        limits, node = self._cluster.limits, self._cluster.node(name)
        if node.ready:
            return True
        limit = limits.reboot if node.labels.get(MIG_CONFIG_STATE) == State.REBOOTING else limits.node_away
        try:
            self._cluster.give_time(lambda: self._cluster.node(name).ready, "the node to be Ready", limit, node=name)
        except NodeLostError:
            return False
        return self._cluster.node(name).ready

    def _not_applied(self, name: str, problem: str) -> None:
        """Note that mig-manager did not bring a configuration back: because of a taint of somebody else, or so.

        It may yet: one that is about to be restarted with another file answers from the file that it had.
        """
        found = [one.entry.found for one in self._compared if one.entry.object == paths.node(name)]
        tainted = any(it is not None and it.taints != lasting_taints(self._cluster.node(name).taints) for it in found)
        if tainted:
            self._since[label(name, MIG_CONFIG)] = f"node {name}: {problem}"
        else:
            self._unapplied[name] = problem

    def _absent_configuration(self, one: Comparison) -> None:
        """Remove `mig.config` and its state from a node that had none."""
        field = label(one.name, MIG_CONFIG)
        change = one.entry.changes.get(field)
        if one.raw is None or change is None or change.original is not None or not one.untouched(field):
            return
        if self._cluster.node(one.name).labels.get(MIG_CONFIG) not in (None, ALL_DISABLED) or self._hurried():
            return
        with self._recording(field):
            self._cluster.set_labels(one.name, {MIG_CONFIG: None, MIG_CONFIG_STATE: None})

    def _fields(self, one: Comparison, choose: Callable[[Field], bool]) -> None:
        """Put back the chosen fields of an object, each only if it still has the suite's value."""
        for field, change in one.own.items():
            if one.raw is not None and choose(field):
                with self._recording(field):
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
        self._put_back.append(f"{field}: {'removed' if value is None else value}")

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
            self._put_back.append(f"{whole}: deleted")

        with self._recording(whole):
            try:
                self._cluster.rewrite(one.entry.object, delete)
            except ApiError as error:
                if not error.not_found:
                    raise

    def _verify(self) -> None:
        if self._hurried():
            return
        with self._recording():
            hindered = bool(self._hindrances)
            found = verify(self._cluster, self._compared)
            self._hindrances += [f"node {name} is not Ready" for name in found.away]
            kept = [one for one in self._compared if one.entry.standing is not None and one.raw is not None]
            for one in kept:
                raw = self._cluster.transport.get(one.entry.object)
                self._differences += lacking(raw, one.entry.standing or {}, one.entry.changes)
            # What could not be written differs for that reason.
            (self._hindrances if hindered else self._differences).extend(found.differences)

    def _report(self) -> Restore:
        if self._hurried():
            self._hindrances.append("interrupted before it was certain that everything is back")
        for one in self._compared:
            self._note_taints(one)
        with self._recording():
            self._note_strategy()
        for one in self._compared:
            if one.name in self._unapplied and not self._is_back(one):
                self._differences.append(f"node {one.name}: {self._unapplied[one.name]}")
        problems = (*self._hindrances, *self._differences)
        if not problems:
            for path in list(self._journal.entries):
                with self._recording():
                    self._journal.forget(path)
        return Restore(
            RestoreOutcome.FAILED if problems else RestoreOutcome.EXACT,
            problems,
            tuple(self._since.values()),
            tuple(self._put_back),
            hindered=bool(self._hindrances) and not self._differences,
        )

    # Inside --------------------------------------------------------------------------------------------------------

    @staticmethod
    def _strategy(one: Comparison) -> Mapping[Field, Change]:
        field = policy_field(one.name, "mig", "strategy")
        return {field: one.own[field]} if field in one.own else {}

    def _is_back(self, one: Comparison) -> bool:
        if one.raw is None or one.entry.found is None:
            return True
        labels, found = self._cluster.node(one.name).labels, one.entry.found.labels
        return all(labels.get(key) == found.get(key) for key in (MIG_CONFIG, MIG_CONFIG_STATE))

    def _is_away(self, one: Comparison) -> bool:
        return one.raw is not None and not self._cluster.node(one.name).ready

    def _note_taints(self, one: Comparison) -> None:
        if one.raw is None or one.entry.found is None or not one.entry.object.startswith(paths.nodes()):
            return
        with self._recording():
            was, now = one.entry.found.taints, lasting_taints(self._cluster.node(one.name).taints)
            if was != now:
                text = f"taints of node {one.name} are {', '.join(now) or 'none'}, were {', '.join(was) or 'none'}"
                self._since[Field(one.entry.object, ("spec", "taints"))] = text

    def _note_strategy(self) -> None:
        """Note a strategy that others set while the suite had not changed it."""
        field = policy_field(self._cluster.policy().name, "mig", "strategy")
        found = [one.entry.found for one in self._compared if one.entry.found is not None]
        if found and field not in self._since and not any(field in one.entry.changes for one in self._compared):
            now = look_up(self._cluster.transport.get(field.object), field.keys)
            if now != found[0].strategy:
                self._since[field] = f"{field} is {now or 'absent'}, was {found[0].strategy or 'absent'}"

    @contextmanager
    def _recording(self, field: Field | None = None) -> Iterator[None]:
        """Turn an error into a difference or a hindrance, and a change that others made into a change since."""
        try:
            yield
        except (ForeignChangeError, NodeLostError) as error:
            if field is None:
                self._hindrances.append(str(error))
            else:
                self._since[field] = str(error)
        except InconclusiveError as error:
            self._hindrances.append(str(error))
        except ClusterError as error:
            self._differences.append(str(error))
