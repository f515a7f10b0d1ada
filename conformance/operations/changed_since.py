"""What others changed since a node was read, beside the fields that the suite changed: a restore names it.

Every function returns one line for each field.
"""

from __future__ import annotations

from collections.abc import Container, Sequence

from conformance.cluster import paths
from conformance.cluster.diff import nvidia_labels
from conformance.operations.comparison import Comparison
from conformance.operations.fields import Field, by, label, look_up, policy_field
from conformance.operations.held_up import of_others, respecified, takes_off
from conformance.operations.interference import BY_ANYBODY
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.taints import lasting_taints
from conformance.operations.verification import not_rolled
from conformance.spec.names import MIG_CONFIG_STATE


def other_taints(cluster: MigCluster, one: Comparison) -> dict[Field, str]:
    """Return that a node has other lasting taints; empty if it has those with which it was found.

    Raises:
        UnknownNodeError: Somebody deleted the node.
    """
    view, found = cluster.node(one.name), one.entry.found
    if found is None or (now := lasting_taints(view.taints)) == found.taints:
        return {}
    text = f"taints of node {one.name} are {', '.join(now) or 'none'}, were {', '.join(found.taints) or 'none'}"
    return {Field(one.entry.object, ("spec", "taints")): text}


def removed_answer(cluster: MigCluster, one: Comparison) -> dict[Field, str]:
    """Return that somebody removed mig-manager's answer; empty if not. It was awaited, and does not come again."""
    view, field = cluster.find_node(one.name), label(one.name, MIG_CONFIG_STATE)
    was = one.entry.found and one.entry.found.labels.get(MIG_CONFIG_STATE)
    if view is None or not was or MIG_CONFIG_STATE in view.labels or not cluster.policies():
        return {}
    return {field: f"{field} was {was}, and was removed{BY_ANYBODY}"}


def other_labels(cluster: MigCluster, one: Comparison) -> dict[Field, str]:
    """Return the labels of the product that somebody else set, or removed together with their operand."""
    view, found = cluster.find_node(one.name), one.entry.found
    if view is None or found is None:
        return {}
    lines = {}
    for key in sorted(nvidia_labels(view.labels).keys() | found.labels.keys()):
        field, was, now = label(one.name, key), found.labels.get(key), view.labels.get(key)
        if now == was or field in one.entry.changes:
            continue
        if of_others(one, field, now) or takes_off(one, key, was, now):
            lines[field] = f"{field} is {now or 'absent'}{by(one.raw, field)}, was {was or 'absent'}"
    return lines


def other_specs(cluster: MigCluster, compared: Sequence[Comparison]) -> dict[Field, str]:
    """Return the DaemonSets that others changed since the run began, and that have not rolled out."""
    lines = {}
    for one in compared if cluster.policies() else ():
        found = one.entry.found if one.entry.object.startswith(paths.policies()) else None
        for view in map(cluster.daemon_set, found.ready if found else ()):
            if view is not None and not view.rolled and (who := respecified(view, one.entry.begun)):
                field = Field(f"{paths.daemon_sets(view.namespace)}/{view.name}", ("spec",))
                lines[field] = f"{not_rolled(view)}; {', '.join(who)} changed it"
    return lines


def other_policy(cluster: MigCluster, compared: Sequence[Comparison], known: Container[Field]) -> dict[Field, str]:
    """Return that there is no ClusterPolicy, or another strategy, which the suite had not changed; empty if not so.

    Args:
        cluster: The cluster.
        compared: Every object of the journal.
        known: Fields about which the restore has a line already.
    """
    nodes = [one.name for one in compared if one.raw is not None and one.entry.object == paths.node(one.name)]
    if not cluster.policies():
        text = "there is no ClusterPolicy any more"
        if nodes:
            text += (
                f": labels and cordon of node {', '.join(nodes)} are back, and their geometry comes back once the "
                "operator is installed again"
            )
        return {Field(paths.policies(), ()): text}
    field = policy_field(cluster.policy().name, "mig", "strategy")
    found = [one.entry.found for one in compared if one.entry.found is not None]
    if not found or field in known or any(field in one.entry.changes for one in compared):
        return {}
    if (now := look_up(cluster.transport.get(field.object), field.keys)) == found[0].strategy:
        return {}
    return {field: f"{field} is {now or 'absent'}, was {found[0].strategy or 'absent'}"}
