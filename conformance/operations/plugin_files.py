"""The files of the device plugin: `devicePlugin.config` of the ClusterPolicy, from which a label of a node chooses one.

Source: docs/reference/device-plugin.md#shared-devices, docs/reference/gpu-operator.md#change-of-strategy. The file sets
the strategy of a node only while `mig.strategy` of the ClusterPolicy is empty: the environment beats it.
"""

from __future__ import annotations

from collections.abc import Mapping

from conformance.cluster.views import PolicyView
from conformance.operations.fields import Field, Value, policy_field
from conformance.operations.mig_cluster import MigCluster
from conformance.spec.go_yaml import YamlError, read_first_document
from conformance.spec.names import DEVICE_PLUGIN_APP, DEVICE_PLUGIN_CONFIG, FEATURE_DISCOVERY_APP, Strategy

_READERS = (DEVICE_PLUGIN_APP, FEATURE_DISCOVERY_APP)


def chosen_file(
    labels: Mapping[str, str], policy: PolicyView, config_maps: Mapping[str, Mapping[str, str]]
) -> tuple[str, str]:
    """Return name and text of the file of a node; both are empty if it has none.

    Args:
        labels: Labels of the node, of which one may name the file.
        policy: The ClusterPolicy, which names the ConfigMap and its default file.
        config_maps: Data of the ConfigMaps of the operator's namespace, by name.
    """
    name = labels.get(DEVICE_PLUGIN_CONFIG) or policy.plugin_config_default or ""
    return name, config_maps.get(policy.plugin_config or "", {}).get(name, "")


def strategy_in(text: str) -> Strategy:
    """Return the strategy that a file gives a node while the ClusterPolicy has none; `none` if it names none."""
    try:
        content = read_first_document(text)
    except YamlError:
        return Strategy.NONE  # the device plugin refuses the file
    flags = content.get("flags") if isinstance(content, dict) else None
    value = flags.get("migStrategy") if isinstance(flags, dict) else None
    return next((strategy for strategy in Strategy if strategy.value == value), Strategy.NONE)


def use_plugin_files(cluster: MigCluster, value: Value) -> None:
    """Write `devicePlugin.config`, and wait until device plugin and GPU Feature Discovery have restarted everywhere.

    A roll that does not complete raises no exception: it is evidence.

    Args:
        cluster: The cluster.
        value: `{"name": CONFIG_MAP, "default": FILE}`; None removes the field.

    Raises:
        ForeignChangeError, ApiError, ClusterError: As for `MigCluster.change`.
    """
    before = [view for name in _READERS if (view := cluster.daemon_set(name)) is not None]
    cluster.change(plugin_files_field(cluster), value)

    def rolled() -> bool:
        now = [cluster.daemon_set(view.name) for view in before]
        pairs = zip(before, now, strict=True)
        return all(new is not None and new.generation > old.generation and new.rolled for old, new in pairs)

    limits, further = cluster.limits, max((view.desired - 1 for view in before), default=0)
    limit = limits.strategy_seen + limits.strategy_roll + limits.strategy_roll_per_node * further
    cluster.give_time(rolled, "device plugin and GPU Feature Discovery to restart with their file", limit)


def plugin_files_field(cluster: MigCluster) -> Field:
    """Return the field that names the ConfigMap and the default file."""
    return policy_field(cluster.policy().name, "devicePlugin", "config")
