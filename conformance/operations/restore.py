"""Puts back exactly what the journal remembers, makes sure of it, and says what differs.

No step is skipped because another failed: whatever can be put back is put back.
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
"""Comes and goes with the cordon, written by the node controller."""


class RestoreOutcome(StrEnum):
    """Whether the cluster is as it was found."""

    EXACT = "exact"
    FAILED = "failed"
    NOT_NEEDED = "not-needed"
    """Nothing had been changed."""


@dataclass(frozen=True)
class Restore:
    """Whether the cluster was left as it was found.

    Attributes:
        outcome: Whether the cluster is as it was found.
        differences: What is not as it was, or what went wrong, one line each; empty unless failed.
    """

    outcome: RestoreOutcome = RestoreOutcome.NOT_NEEDED
    differences: tuple[str, ...] = ()


def restore(cluster: MigCluster, journal: Journal, *, at_once: int | None = None) -> Restore:
    """Put back strategy, configurations, labels and cordons; clear the journal when all is as it was.

    The strategy goes first unless it was `single`: under `single` an uneven configuration is an error, so there the
    nodes go first. `gfd.timestamp` and the UUIDs of MIG devices cannot be as they were.

    Args:
        cluster: The cluster.
        journal: What was there.
        at_once: Nodes that are reconfigured at the same time at most; None for all.

    Returns:
        The report. What went wrong is a difference in it, not an exception; KeyboardInterrupt passes.
    """
    if journal.empty:
        return Restore(RestoreOutcome.NOT_NEEDED)
    cluster.guard.forgive()
    try:
        cluster.transport.probe()
    except ClusterError as error:
        return Restore(RestoreOutcome.FAILED, (f"nothing could be put back: {error}",))
    differences: list[str] = []
    steps: list[Callable[[], None]] = [
        lambda: _strategy(cluster, journal, differences),
        lambda: _configurations(cluster, journal, differences, at_once),
    ]
    if journal.policy and journal.policy.strategy == Strategy.SINGLE:
        steps.reverse()
    for step in steps:
        with _noting(differences):
            step()
    for record in journal.nodes.values():
        with _noting(differences):
            _labels_and_cordon(cluster, record)
    with _noting(differences):
        differences += _verify(cluster, journal)
    if not differences:
        with _noting(differences):
            journal.clear()
    outcome = RestoreOutcome.FAILED if differences else RestoreOutcome.EXACT
    return Restore(outcome, tuple(differences))


@contextmanager
def _noting(differences: list[str]) -> Iterator[None]:
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
    """Reconfigure the nodes that are not as they were; a node without the label is brought to `all-disabled` first."""
    there = {node.name for node in cluster.nodes()}
    wanted: dict[str, str] = {}
    for record in journal.nodes.values():
        if record.name not in there:
            differences.append(f"node {record.name} is gone")
        elif _changed(cluster, record):
            wanted[record.name] = record.configuration or ALL_DISABLED
    for name in list(wanted):
        if users := gpu_users(cluster, name):
            names = ", ".join(map(str, users))
            differences.append(f"node {name} is left at its present configuration: pods of others hold GPUs ({names})")
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
    if patch := _missing(restorable(record.labels), restorable(view.labels)):
        cluster.set_labels(record.name, patch)
    if view.unschedulable != record.unschedulable:
        cluster.set_unschedulable(record.name, unschedulable=record.unschedulable)


def _missing(wanted: Mapping[str, str], found: Mapping[str, str]) -> dict[str, str | None]:
    changed = {key: wanted.get(key) for key in wanted.keys() | found.keys()}
    return {key: value for key, value in sorted(changed.items()) if found.get(key) != value}


def _verify(cluster: MigCluster, journal: Journal) -> list[str]:
    """Wait until everything is as remembered, outputs of the operator included; say what is not when time is over."""
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
        "taints": (_own_taints(record.taints), _own_taints(view.taints)),
    }
    return lines + [f"{what} was {was}, is {now}" for what, (was, now) in pairs.items() if was != now]


def _own_taints(taints: tuple[str, ...]) -> list[str]:
    return [taint for taint in taints if not taint.startswith(_CORDON_TAINT)]
