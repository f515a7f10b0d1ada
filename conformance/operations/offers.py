"""Says which mig-parted file a node takes its configurations from, and whether that has a configuration.

Source: docs/reference/gpu-operator.md#which-configurations-a-node-has.
"""

from __future__ import annotations

from conformance.cluster.observed import ObservedCluster
from conformance.spec.mig_parted import ConfigurationError, parse
from conformance.spec.names import CONFIG_KEY, DEFAULT_CONFIG_MAP, generated_config_map


def offers(cluster: ObservedCluster, node: str, configuration: str, custom: str | None) -> bool:
    """Whether the file of a node has a configuration of this name; True if there is no file that can be read.

    Args:
        cluster: The cluster.
        node: Name of the node.
        configuration: Name of the configuration.
        custom: ConfigMap that the ClusterPolicy names; None for none.

    Raises:
        ClusterError: The ConfigMap may not be read.
    """
    # The first that exists counts.
    for name in (custom,) if custom else (generated_config_map(node), DEFAULT_CONFIG_MAP):
        data = cluster.config_map(name)
        if data is not None:
            try:
                return configuration in parse(data.get(CONFIG_KEY, "")).entries
            except ConfigurationError:
                return True  # mig-manager says what is wrong
    return True
