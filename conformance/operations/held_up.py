"""What others changed on a node that keeps operands from running there."""

from __future__ import annotations

from collections.abc import Iterator

from conformance.cluster import paths
from conformance.cluster.transport import FIELD_MANAGER
from conformance.cluster.views import DaemonSetView, timestamp
from conformance.operations.comparison import Comparison
from conformance.operations.fields import Field, label, look_up, product_writes, turned_into, writers
from conformance.operations.interference import NEEDED_OPERANDS, PRODUCT_WRITERS
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.taints import kept_off_by


def held_up(cluster: MigCluster, one: Comparison) -> tuple[str, ...]:
    """Describe the taints and deploy labels of somebody else that keep operands off a node; empty if there are none.

    Args:
        cluster: The cluster.
        one: The node, compared with what was found.
    """
    return tuple(_held_up(cluster, one))


def set_by_others(one: Comparison, field: Field, was: str | None, now: str | None) -> bool:
    """Return whether a deploy label has a value that neither the suite nor mig-manager gave it."""
    return field not in one.entry.changes and now not in turned_into(field, was)


def of_others(one: Comparison, field: Field, now: str | None) -> bool:
    """Return whether the server says that a label is theirs: neither the product nor the suite wrote it.

    Never for a label that mig-manager writes: its script may be known to the server as `kubectl-label`.

    Args:
        one: The node, compared with what was found.
        field: The label.
        now: Its value.
    """
    if product_writes(field.label):
        return False
    who = set(writers(one.raw, field))
    return look_up(one.raw, field.keys) == now and bool(who) and who.isdisjoint({FIELD_MANAGER, *PRODUCT_WRITERS})


def takes_off(one: Comparison, key: str, was: str | None, now: str | None) -> bool:
    """Return whether somebody else's value of a label, or its removal, takes an operand off that a run needs there."""
    return key in NEEDED_OPERANDS and now not in ("true", was) and set_by_others(one, label(one.name, key), was, now)


def respecified(view: DaemonSetView, begun: str) -> tuple[str, ...]:
    """Return the field managers, neither the product's nor the suite's, that wrote to a spec since a run began.

    Args:
        view: The DaemonSet.
        begun: When the run began to change the cluster, ISO 8601.
    """
    since, known = timestamp(begun), {FIELD_MANAGER, *PRODUCT_WRITERS}
    return tuple(who for who, when in view.spec_written.items() if who not in known and when >= since)


def _held_up(cluster: MigCluster, one: Comparison) -> Iterator[str]:
    found = one.entry.found
    if found is None or one.raw is None or not one.entry.object.startswith(f"{paths.nodes()}/"):
        return
    if (view := cluster.find_node(one.name)) is None:
        return
    if taints := kept_off_by(found.taints, view.taints):
        yield f"taint {', '.join(taints)} of node {one.name}"
    for key in NEEDED_OPERANDS:
        was, now = found.labels.get(key), view.labels.get(key)
        if takes_off(one, key, was, now):
            yield f"{label(one.name, key)} = {now}" if now is not None else f"{label(one.name, key)} removed"
