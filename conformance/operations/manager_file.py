"""Lets mig-manager of all nodes restart with another ConfigMap or other settings, and waits until it has.

Source: docs/reference/gpu-operator.md#which-configurations-a-node-has. A change of `migManager.config.name` changes the
template of the DaemonSet, so mig-manager restarts on every node; a new process applies the label that it finds.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from conformance.cluster import paths
from conformance.operations.fields import Field, Value, config_map_key, policy_field
from conformance.operations.mig_cluster import MigCluster
from conformance.spec.names import MIG_CONFIG_STATE, MIG_MANAGER_APP, State

_ANSWERS = (State.SUCCESS, State.FAILED)


def put_config_map(cluster: MigCluster, name: str, data: Mapping[str, str]) -> None:
    """Give a ConfigMap of the suite in the operator's namespace this content; it is created if it does not exist.

    Keys that it has beyond `data` are left. The restore deletes the ConfigMap.

    Raises:
        ForeignChangeError, ApiError, ClusterError: As for `MigCluster.change` and `MigCluster.create`.
    """
    namespace = cluster.operator_namespace
    if (found := cluster.config_map(name)) is None:
        cluster.create(paths.config_maps(namespace), {"metadata": {"name": name}, "data": dict(data)})
        return
    changed = {key: text for key, text in data.items() if found.get(key) != text}
    if changed:
        cluster.change_all({config_map_key(namespace, name, key): text for key, text in changed.items()})


def use_config_map(cluster: MigCluster, name: str | None, nodes: Collection[str]) -> None:
    """Write a name to `migManager.config.name`, and wait until mig-manager has restarted and answered on the nodes.

    The answer is that of the new process to the label that it found at its start. A roll that does not complete and a
    mig-manager that does not answer raise no exception: they are evidence.

    Args:
        cluster: The cluster.
        name: Name of a ConfigMap; None or empty for mig-manager's own configurations.
        nodes: Nodes whose answer is waited for.

    Raises:
        ForeignChangeError, ApiError, ClusterError: As for `MigCluster.change`.
    """
    if (cluster.policy().config_name or None) != (name or None):
        field = policy_field(cluster.policy().name, "migManager", "config", "name")
        restart_manager_with(cluster, field, name, nodes, f"ConfigMap {name or 'of its own'}")


def restart_manager_with(cluster: MigCluster, field: Field, value: Value, nodes: Collection[str], what: str) -> None:
    """Change a field of the ClusterPolicy that restarts mig-manager, and wait as `use_config_map` does.

    Args:
        cluster: The cluster.
        field: The field.
        value: New value; None removes the field.
        nodes: Nodes whose answer is waited for.
        what: What mig-manager restarts with, for messages.

    Raises:
        ForeignChangeError, ApiError, ClusterError: As for `MigCluster.change`.
    """
    before = cluster.daemon_set(MIG_MANAGER_APP)
    if before is None:
        return
    for node in nodes:
        cluster.set_labels(node, {MIG_CONFIG_STATE: None})  # so that the answer is a change
    cluster.change(field, value)

    def rolled() -> bool:
        now = cluster.daemon_set(MIG_MANAGER_APP)
        return now is not None and now.generation > before.generation and now.rolled

    def answered(node: str) -> bool:
        return cluster.node(node).labels.get(MIG_CONFIG_STATE) in _ANSWERS

    limits, further = cluster.limits, max(before.desired - 1, 0)
    cluster.give_time(
        lambda: rolled() and all(map(answered, nodes)),
        f"mig-manager to restart with {what} and to answer",
        limits.strategy_seen + limits.strategy_roll + limits.strategy_roll_per_node * further,
    )
