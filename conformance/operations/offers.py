"""Says which mig-parted file a node takes its configurations from, and whether that has a configuration.

Source: docs/reference/gpu-operator.md#which-configurations-a-node-has.
"""

from __future__ import annotations

from conformance.cluster import paths
from conformance.cluster.observed import ObservedCluster
from conformance.cluster.views import policy_view
from conformance.spec.mig_parted import ConfigurationError, parse
from conformance.spec.names import CONFIG_KEY, DEFAULT_CONFIG_MAP, generated_config_map


def file_names(cluster: ObservedCluster, node: str) -> tuple[str, ...]:
    """Return the names of the ConfigMaps that a node may take its configurations from; the first that exists counts.

    The ClusterPolicy is read: the restore has just written it, and the watch may be late.
    """
    custom = policy_view(cluster.transport.get(paths.policy(cluster.policy().name))).config_name
    return (custom,) if custom else (generated_config_map(node), DEFAULT_CONFIG_MAP)


def offers(cluster: ObservedCluster, node: str, configuration: str) -> bool:
    """Whether the file of a node has a configuration of this name; True if there is no file that can be read.

    Raises:
        ClusterError: The ConfigMap may not be read.
    """
    for name in file_names(cluster, node):
        data = cluster.config_map(name)
        if data is not None:
            try:
                return configuration in parse(data.get(CONFIG_KEY, "")).entries
            except ConfigurationError:
                return True  # mig-manager says what is wrong
    return True
