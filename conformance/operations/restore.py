"""Puts back what the journal recorded, verifies the result, and reports the differences.

A failed step does not prevent the others: everything that can be put back is put back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum

from conformance.cluster.diff import nvidia_labels
from conformance.cluster.errors import ClusterError, WaitTimeout
from conformance.operations.journal import Journal, NodeRecord, restorable
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.reconfigure import reconfigure
from conformance.operations.strategy import change_strategy
from conformance.operations.users import gpu_users
from conformance.spec.mig_parted import ALL_DISABLED
from conformance.spec.names import GFD_TIMESTAMP, MIG_CONFIG, Strategy

_CORDON_TAINT = "node.kubernetes.io/unschedulable"
"""Taint that the node controller adds and removes with the cordon."""


class RestoreOutcome(StrEnum):
    """How the restore ended."""

    EXACT = "exact"
    """The cluster is as it was found."""
    FAILED = "failed"
    """The cluster differs from what was found, or the restore could not be completed."""
    NOT_NEEDED = "not-needed"
    """Nothing had been changed."""


@dataclass(frozen=True)
class Restore:
    """Report of a restore.

    Attributes:
        outcome: How the restore ended.
        differences: What differs from the original state or went wrong, one line each; empty unless it failed.
    """

    outcome: RestoreOutcome = RestoreOutcome.NOT_NEEDED
    differences: tuple[str, ...] = ()


def restore(cluster: MigCluster, journal: Journal, *, at_once: int | None = None) -> Restore:
    """Put back strategy, configurations, labels and cordons, and clear the journal if everything is as it was.

    The strategy is put back first, unless it was `single`. Under `single` an uneven configuration is an error, so in
    that case the nodes come first. The label `gfd.timestamp` and the UUIDs of MIG devices cannot be put back and are
    not compared.

    Args:
        cluster: The cluster.
        journal: The original state.
        at_once: Maximum number of nodes to reconfigure at the same time; None means the limit of `side_by_side`.

    Returns:
        The report. A ClusterError becomes a difference in it; other exceptions, such as KeyboardInterrupt, propagate.
    """
    if journal.empty:
        return Restore(RestoreOutcome.NOT_NEEDED)
    cluster.guard.forgive()
    try:
        cluster.transport.probe()
    except ClusterError as error:
        return Restore(RestoreOutcome.FAILED, (f"nothing was put back: {error}",))
    differences: list[str] = []
    steps: list[Callable[[], None]] = [
        lambda: _strategy(cluster, journal, differences),
        lambda: _configurations(cluster, journal, differences, at_once),
    ]
    if journal.policy and journal.policy.strategy == Strategy.SINGLE:
        steps.reverse()
    for step in steps:
        with _recording_errors(differences):
            step()
    for record in journal.nodes.values():
        with _recording_errors(differences):
            _labels_and_cordon(cluster, record)
    with _recording_errors(differences):
        differences += _verify(cluster, journal)
    if not differences:
        with _recording_errors(differences):
            journal.clear()
    outcome = RestoreOutcome.FAILED if differences else RestoreOutcome.EXACT
    return Restore(outcome, tuple(differences))


@contextmanager
def _recording_errors(differences: list[str]) -> Iterator[None]:
    try:
        yield
    except ClusterError as error:
        differences.append(str(error))


def _strategy(cluster: MigCluster, journal: Journal, differences: list[str]) -> None:
    record = journal.policy
    if record is None or cluster.policy().strategy == record.strategy:
        return
    if record.strategy:
        change = change_strategy(cluster, Strategy(record.strategy))
        differences += [change.problem] if change.problem else []
    else:
        cluster.set_strategy(record.strategy)


def _configurations(cluster: MigCluster, journal: Journal, differences: list[str], at_once: int | None) -> None:
    """Reconfigure the nodes whose configuration or state changed.

    A node that had no `mig.config` gets `all-disabled`; `_labels_and_cordon` removes the label afterwards.
    """
    existing = {node.name for node in cluster.nodes()}
    wanted: dict[str, str] = {}
    for record in journal.nodes.values():
        if record.name not in existing:
            differences.append(f"node {record.name} is gone")
        elif _changed(cluster, record):
            wanted[record.name] = record.configuration or ALL_DISABLED
    for name in list(wanted):
        if users := gpu_users(cluster, name):
            names = ", ".join(map(str, users))
            differences.append(f"node {name} keeps its current configuration: pods of other users hold GPUs ({names})")
            del wanted[name]
    for name, evidence in reconfigure(cluster, wanted, at_once=at_once).items():
        if evidence.problem and evidence.state != journal.nodes[name].state:
            differences.append(f"node {name}: {evidence.problem}")


def _changed(cluster: MigCluster, record: NodeRecord) -> bool:
    labels = cluster.node(record.name).labels
    watched = set(restorable(record.labels)) & {MIG_CONFIG, f"{MIG_CONFIG}.state"} | {MIG_CONFIG}
    return any(labels.get(key) != record.labels.get(key) for key in watched)


def _labels_and_cordon(cluster: MigCluster, record: NodeRecord) -> None:
    view = cluster.node(record.name)
    if patch := _label_patch(restorable(record.labels), restorable(view.labels)):
        cluster.set_labels(record.name, patch)
    if view.unschedulable != record.unschedulable:
        cluster.set_unschedulable(record.name, unschedulable=record.unschedulable)


def _label_patch(wanted: Mapping[str, str], found: Mapping[str, str]) -> dict[str, str | None]:
    changed = {key: wanted.get(key) for key in wanted.keys() | found.keys()}
    return {key: value for key, value in sorted(changed.items()) if found.get(key) != value}


def _verify(cluster: MigCluster, journal: Journal) -> list[str]:
    """Wait until everything is as recorded, including what the operator writes. Return the remaining differences."""
    limit = cluster.limits.operands_ready + cluster.limits.labels
    try:
        cluster.wait(lambda: not _differences(cluster, journal), "the cluster to be as it was found", limit)
    except WaitTimeout:
        return _differences(cluster, journal)
    return []


def _differences(cluster: MigCluster, journal: Journal) -> list[str]:
    found: list[str] = []
    if journal.policy and (now := cluster.policy().strategy) != journal.policy.strategy:
        found.append(f"strategy was {journal.policy.strategy}, is {now}")
    names = {node.name for node in cluster.nodes()}
    for record in journal.nodes.values():
        if record.name in names:
            found += [f"node {record.name}: {line}" for line in _node_differences(cluster, record)]
    return found


def _node_differences(cluster: MigCluster, record: NodeRecord) -> list[str]:
    view = cluster.node(record.name)
    labels = nvidia_labels(view.labels)
    lines = [
        f"label {key} was {record.labels.get(key, 'absent')}, is {labels.get(key, 'absent')}"
        for key in sorted(record.labels.keys() | labels.keys())
        if key != GFD_TIMESTAMP and record.labels.get(key) != labels.get(key)
    ]
    pairs = {
        "allocatable": (dict(record.advertised), view.advertised),
        "unschedulable": (record.unschedulable, view.unschedulable),
        "taints": (_without_cordon(record.taints), _without_cordon(view.taints)),
    }
    return lines + [f"{what} was {was}, is {now}" for what, (was, now) in pairs.items() if was != now]


def _without_cordon(taints: tuple[str, ...]) -> list[str]:
    return [taint for taint in taints if not taint.startswith(_CORDON_TAINT)]
