"""The session of a run: backend, cluster, and everything that exists once per run."""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from conformance.backends.backend import Permissions
from conformance.backends.choice import Choice, make_backend
from conformance.cluster import paths
from conformance.cluster.connecting import connect
from conformance.cluster.errors import ApiError, ClusterError
from conformance.expect.deletions import ENOUGH
from conformance.operations.journal import node_of
from conformance.operations.journal_reading import journals_in_cluster
from conformance.operations.lease import RunLease
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.namespace import namespace_is_there
from conformance.operations.publication import refuse_missing
from conformance.operations.restored import Restore
from conformance.operations.rights import RIGHTS, Place, check_rights
from conformance.operations.selection import mig_nodes
from conformance.operations.side_by_side import side_by_side
from conformance.preflight.reading import Wanted, read_snapshot
from conformance.preflight.table import find
from conformance.report.model import Environment
from conformance.report.observations import TimelineEntry
from conformance.report.run import Run, Spent
from conformance.report.timelines import as_found, entries
from conformance.spec.names import GPU_COUNT
from conformance.suite.as_found import gpus_as_found
from conformance.suite.cells import Spot
from conformance.suite.execution import Execution
from conformance.suite.keeping import Keeping
from conformance.suite.observer import Observer
from conformance.suite.options import Options
from conformance.suite.planning import Planner
from conformance.suite.preflight import explaining, levels_of, pods_to_try
from conformance.suite.provisioning import Provisioner
from conformance.suite.survey import survey
from conformance.suite.targets import Target
from conformance.suite.versions import find_environment, find_versions
from conformance.suite.witnesses import Witnesses


@dataclass
class Session:
    """Everything that the cases of a run share.

    Attributes:
        options: The options of the run.
        cluster: The cluster.
        targets: The nodes under test, by name.
        planner: Assigns every case its places.
        execution: Carries out the agenda.
        provisioner: Changes the cluster.
        run: Record for the report.
    """

    options: Options
    cluster: MigCluster
    targets: Mapping[str, Target]
    planner: Planner
    execution: Execution
    provisioner: Provisioner
    run: Run
    _resources: ExitStack
    _restored: bool = False

    def repeat(self, spots: Iterable[Spot]) -> None:
        """Change nodes to the configuration in which they were found and back, until it is known who deletes pods.

        Such a change is the same as that of the restore, but the witnesses are there. It ends where nothing is left
        for the restore to change, if the first one tells enough.
        """
        found = self.planner.found
        by_node = {spot.node: spot for spot in spots if spot.node in found}

        def repeat(name: str) -> None:
            spot = by_node[name]
            for configuration in itertools.islice(
                itertools.cycle((found[name].configuration, spot.cell.configuration)), ENOUGH
            ):
                self.cluster.catch_up(name)
                if not self.execution.doubts.undecided(spot):
                    return
                self.provisioner.repeat(name, configuration)

        with self.run.spending(Spent.RESTORE):
            side_by_side(self.cluster, sorted(by_node), repeat, at_once=self.provisioner.keeping.at_once)

    def restore(self) -> None:
        """Put the cluster back as it was found, and record how that went; a second call does nothing."""
        if self._restored:
            return
        self._restored = True
        self.run.environment = self._as_read(self.run.environment)
        self.run.stays_ended = self.run.stays_ended or self.cluster.timeline.now()
        try:
            with self.run.spending(Spent.RESTORE):
                self.run.restore = self.provisioner.keeping.end()
        except ClusterError as error:
            self.run.restore = Restore().worse(error)

    def close(self) -> None:
        """Restore the cluster if that was not done, then disconnect and stop the backend."""
        try:
            self.restore()
        finally:
            self._resources.close()

    def hurry(self) -> None:
        """End every wait, and restore without waiting for the effect: the user interrupted the run a second time."""
        self.provisioner.keeping.hurry()

    def _as_read(self, environment: Environment) -> Environment:
        """Replace the numbers of GPUs, which came from labels, by those that were read, and add what was remarked."""
        counts, remarks = self.provisioner.gpu_counts, self.provisioner.observer.remarks
        nodes = [
            node.model_copy(
                update={"gpus": counts.get(node.name, node.gpus), "remarks": remarks.get(node.name, node.remarks)}
            )
            for node in environment.nodes
        ]
        return environment.model_copy(update={"nodes": tuple(nodes)})


def open_session(options: Options, run: Run, folder: Path, *, only_shows: bool = False) -> Session:
    """Start the backend, connect, and read what a run needs to know.

    Changes nothing on a live cluster, except that a run that may change it first finishes runs that were killed.

    Args:
        options: The options of the run.
        run: Record for the report; backend and environment are filled in.
        folder: Report directory, for the local copy of the journal.
        only_shows: Whether the run ends without running a case, so that nothing may be changed.

    Raises:
        BackendError, ClusterError: There is no cluster, or it cannot be tested; the message says how to fix that.
    """
    run_id = secrets.token_hex(4)
    with ExitStack() as resources, run.spending(Spent.START):
        backend = make_backend(_choice(options, run_id))
        resources.callback(backend.stop)
        attachment = backend.start()
        permissions = attachment.permissions
        needed = [one for one in RIGHTS if one.level in levels_of(permissions, publish=options.publish)]
        with closing(connect(attachment.kubeconfig, attachment.context, options.limits)) as transport:
            if permissions.disruptive and namespace_is_there(transport):
                needed = [one for one in needed if not one.makes_namespace]
            check_rights(transport, [one for one in needed if one.place is Place.CLUSTER], {Place.CLUSTER: ""})
            run.preflight = find(read_snapshot(transport, _asked(options, permissions, only_shows=only_shows)))
        with explaining(run.preflight):
            cluster = resources.enter_context(
                MigCluster.connect(
                    attachment.kubeconfig, context=attachment.context, clock=attachment.clock, limits=options.limits
                )
            )
        published = options.publish_namespace or cluster.operator_namespace
        namespaces = {
            Place.OPERATOR: cluster.operator_namespace,
            Place.OWN: cluster.namespace,
            Place.PUBLISHED: published,
        }
        check_rights(cluster.transport, [one for one in needed if one.place is not Place.CLUSTER], namespaces)
        if options.publish:
            refuse_missing(cluster.transport, published)
        keeping = Keeping(cluster, run_id, folder / f"journal-{run_id}.jsonl", cordon=options.cordon)
        resources.callback(keeping.end)
        refused = _look_at_earlier_runs(cluster, keeping, permissions, only_shows=only_shows)
        with explaining(run.preflight):
            planner = survey(
                options, cluster, permissions, refused, simulated=backend.simulated_gpus, preflight=run.preflight
            )
        if permissions.disruptive and not only_shows:
            _refuse_if_all_are_used(planner)
        provisioner = _provisioner(options, cluster, planner, run_id, keeping)
        session = Session(
            options=options,
            cluster=cluster,
            targets=planner.targets,
            planner=planner,
            execution=Execution(provisioner, run, canary=options.canary is not None),
            provisioner=provisioner,
            run=run,
            _resources=resources.pop_all(),
        )
    targets = session.targets
    cluster.guard.add(targets)
    run.id = run_id
    run.backend = backend.name
    run.operator_namespace = cluster.operator_namespace
    run.mig_nodes = tuple(node.name for node in mig_nodes(cluster, ()))
    run.profile = options.profile
    run.simulated_gpus = planner.simulated
    run.environment = find_environment(cluster, tuple(targets.values()), _gpus_by_label(session))
    run.timelines = _timelines(cluster, targets)
    run.nodes_left_out = dict(planner.in_use) if planner.permissions.disruptive else {}
    run.requests = lambda: dict(sorted(cluster.transport.requests.items()))
    return session


def _timelines(cluster: MigCluster, nodes: Iterable[str]) -> Callable[[], Mapping[str, Sequence[TimelineEntry]]]:
    """Return what gives the timeline of each node: what is there now, between the changes before and after that."""
    now = cluster.timeline.now()
    found = {name: tuple(as_found(now, cluster.node(name), cluster.operands(name))) for name in nodes}

    def timeline(name: str) -> Sequence[TimelineEntry]:
        changes = entries(cluster.timeline.since(node=name))
        return sorted((*found[name], *changes), key=lambda entry: entry.time)

    return lambda: {name: timeline(name) for name in found}


def _asked(options: Options, permissions: Permissions, *, only_shows: bool) -> Wanted:
    """What preflight looks at before a run; the rights have been asked for already.

    Whether admission would let the pods in is tried only before they are created: a dry run is no read, either.
    """
    tries = permissions.disruptive and not only_shows
    pods = pods_to_try(options.image, reboot=permissions.reboot) if tries else {}
    return Wanted(nodes=options.nodes, pods=pods, declared=options.declared_versions)


def _refuse_if_all_are_used(planner: Planner) -> None:
    """Raise an error if the run may change nodes, but somebody uses each of them."""
    if planner.in_use and planner.in_use.keys() >= planner.targets.keys():
        raise ClusterError(f"no node may be changed: {'; '.join(planner.in_use.values())}")


def _look_at_earlier_runs(
    cluster: MigCluster, keeping: Keeping, permissions: Permissions, *, only_shows: bool
) -> dict[str, str]:
    """Finish earlier runs if this run may change the cluster; otherwise note that they are not finished.

    Returns:
        Why a node must not be changed, by name; the empty name stands for every node.

    Raises:
        ClusterError: An earlier run changed what this one may not change, or another run is active.
    """
    changes = permissions.disruptive and not only_shows
    try:
        pending = journals_in_cluster(cluster)
    except ApiError as error:  # an account that only reads need not see the namespace of the suite
        keeping.notes.append(f"whether earlier runs are not finished is unknown: {error}")
        return {}
    except ClusterError as error:
        if changes:
            raise
        note = f"an earlier run is not finished: {error}"
        keeping.notes.append(note)
        cluster.guard.doubt("", note)
        return {}
    if not pending:
        if changes:
            RunLease(cluster, "").refuse_held()
        return {}
    if changes:
        strategy = any(path.startswith(paths.policies()) for journal in pending for path in journal.entries)
        if strategy and not permissions.cluster_wide:
            raise ClusterError(
                f"run {pending[0].run} was killed after it had changed the ClusterPolicy: run "
                "`mig-conformance restore apply`, or add --allow-cluster-wide"
            )
        refused = keeping.start()
        for node, why in refused.items():
            cluster.guard.doubt(node, why)
        return refused
    for journal in pending:
        note = f"{journal.who}, is not finished: "
        note += f"{len(journal.entries)} objects are to be put back; see `mig-conformance restore show`"
        keeping.notes.append(note)
        for path in journal.entries:
            cluster.guard.doubt(node_of(path), note)
    return {}


def _provisioner(options: Options, cluster: MigCluster, planner: Planner, run_id: str, keeping: Keeping) -> Provisioner:
    waves = planner.waves.values()
    largest = max((sum(1 for wave in waves if wave == number) for number in set(waves) if number), default=1)
    keeping.limit(largest)
    return Provisioner(
        cluster=cluster,
        targets=planner.targets,
        observer=Observer(cluster, run_id, options.image, use_exec=planner.permissions.execute),
        keeping=keeping,
        witnesses=Witnesses(cluster, run_id, options.image),
        versions=find_versions(cluster),
        run=run_id,
        image=options.image,
        declared=options.declared_versions,
    )


def _gpus_by_label(session: Session) -> dict[str, int]:
    """Number of GPUs by node, for nodes that were found in a cell and whose labels tell it."""
    counts = {}
    for name, cell in session.planner.found.items():
        target, labels = session.targets[name], session.cluster.node(name).labels
        known = cell.configuration in target.kinds and not target.unlike
        if known and labels.get(GPU_COUNT, "").isdigit():
            counts[name] = len(gpus_as_found(target, cell, labels))
    return counts


def _choice(options: Options, run_id: str) -> Choice:
    return Choice(
        cluster=options.cluster,
        run=run_id,
        simulation=options.simulation.with_other_nodes(),
        kubeconfig=options.kubeconfig,
        context=options.context,
        simulate_gpus=options.simulate_gpus,
        permissions=options.permissions,
        limits=options.limits,
    )
