"""Compares a restored cluster with what was found, including what the components write by themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from conformance.cluster import paths
from conformance.cluster.diff import nvidia_labels
from conformance.cluster.views import DaemonSetView
from conformance.operations.comparison import Comparison
from conformance.operations.entry import Found
from conformance.operations.fields import label
from conformance.operations.held_up import held_up, of_others, respecified, set_by_others
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.taints import lasting_taints
from conformance.spec.names import DEPLOY_PREFIX, GFD_TIMESTAMP, MIG_CONFIG, MIG_CONFIG_STATE, PREFIX

_DESCRIBED = (f"{PREFIX}gpu.", f"{PREFIX}mig-", f"{PREFIX}mig.")
"""Labels that a reconfiguration or a change of strategy changes, by their prefix; those of others are not compared."""


@dataclass(frozen=True)
class Verification:
    """What a restored cluster looks like.

    Attributes:
        differences: What is not as it was found, one line each.
        away: Nodes that are not Ready, and so not awaited: whether they are as they were will show when they are back.
        held_up: What others changed that keeps operands of a node from running, one line each. Operands roll from node
            to node, so any difference may be due to it.
    """

    differences: tuple[str, ...]
    away: tuple[str, ...]
    held_up: tuple[str, ...] = ()


def verify(cluster: MigCluster, compared: Iterable[Comparison]) -> Verification:
    """Wait until everything is as it was found, as far as nobody else changed it.

    Only what was Ready at the start is awaited: in a geometry that advertises nothing, the validator is never Ready.
    Where somebody else's taint or label keeps operands off a node, nothing is: they write its labels, and advertise its
    devices.
    The label `gfd.timestamp` and the UUIDs of MIG devices cannot be put back and are not compared.

    Args:
        cluster: The cluster.
        compared: The objects of the journal, as they were compared before they were put back.
    """
    objects = list(compared)
    nodes = len(cluster.nodes())
    limits = cluster.limits
    limit = limits.operands_ready + limits.labels
    if any(one.entry.object.startswith(paths.policies()) for one in objects):
        limit += limits.strategy_roll + limits.strategy_roll_per_node * max(nodes - 1, 0)
    strategy = cluster.read_policy().strategy  # it has been put back, or is that of somebody else by now
    late: list[Comparison] = []

    def as_found() -> bool:
        """Check the objects one after another: all of them after every change would take time nodes times changes."""
        late[:] = late or objects
        while late and not any(_differences(cluster, late[-1], strategy)):
            late.pop()
        return not late and not any(_all_differences(cluster, objects, strategy))

    cluster.give_time(as_found, "the cluster to be as it was found", limit)
    away = tuple(one.name for one in objects if _is_away(cluster, one))
    causes = tuple(text for one in objects for text in held_up(cluster, one))
    return Verification(tuple(_all_differences(cluster, objects, strategy)), away, causes)


def _all_differences(cluster: MigCluster, objects: list[Comparison], strategy: str | None) -> Iterator[str]:
    return (line for one in objects for line in _differences(cluster, one, strategy))


def _differences(cluster: MigCluster, one: Comparison, strategy: str | None) -> Iterator[str]:
    found = one.entry.found
    if found is None or _is_away(cluster, one):
        return
    if one.entry.object.startswith(paths.policies()):
        late = [view for name in found.ready if (view := cluster.daemon_set(name)) and not view.rolled]
        yield from (not_rolled(view) for view in late if not respecified(view, one.entry.begun))
    elif one.raw is None or found.strategy != strategy or one.asked_before:
        return
    elif one.untouched(label(one.name, MIG_CONFIG)):
        yield from (f"node {one.name}: {line}" for line in _node_differences(cluster, one, found))


def not_rolled(view: DaemonSetView) -> str:
    """Describe that a DaemonSet has not rolled out."""
    return (
        f"DaemonSet {view.name} has not rolled out: {view.updated} of {view.desired} pods are updated, and "
        f"{view.available} available"
    )


def _is_away(cluster: MigCluster, one: Comparison) -> bool:
    """Whether the object is a node that is not Ready."""
    view = cluster.find_node(one.name) if one.entry.object == paths.node(one.name) else None
    return view is not None and not view.ready


def _node_differences(cluster: MigCluster, one: Comparison, found: Found) -> Iterator[str]:
    if held_up(cluster, one):
        return
    if (view := cluster.find_node(one.name)) is None:
        return  # somebody deleted it meanwhile
    labels = nvidia_labels(view.labels)
    by_others = False
    for key in sorted(found.labels.keys() | labels.keys()):
        change = one.entry.changes.get(label(one.name, key))
        was, now = change.original if change else found.labels.get(key), labels.get(key)
        if was == now or not key.startswith(_DESCRIBED) or key == GFD_TIMESTAMP:
            continue
        if key == MIG_CONFIG_STATE and (now is None or (was is None and MIG_CONFIG in found.labels)):
            continue  # somebody removed mig-manager's answer, or had done so, and it has answered again
        if key.startswith(DEPLOY_PREFIX) and set_by_others(one, label(one.name, key), was, now):
            by_others = True
        elif of_others(one, label(one.name, key), now):
            continue
        elif one.untouched(label(one.name, key)):
            yield f"label {key} was {was or 'absent'}, is {now or 'absent'}"
    if by_others or found.taints != lasting_taints(view.taints):
        return  # other operands run there now
    if dict(found.advertised) != view.advertised:
        yield f"allocatable was {dict(found.advertised)}, is {view.advertised}"
    back = {pod.app for pod in cluster.operands(one.name) if pod.ready and not pod.terminating}
    if missing := [app for app in found.ready if app not in back and cluster.daemon_set(app)]:
        yield f"not Ready: {', '.join(missing)}"
