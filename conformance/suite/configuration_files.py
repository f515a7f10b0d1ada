"""The files that the nodes under test take their configurations from: of mig-parted and of the device plugin."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from conformance.cluster.client import Cluster
from conformance.cluster.errors import ClusterError
from conformance.cluster.views import NodeView
from conformance.operations.plugin_files import chosen_file, strategy_in
from conformance.operations.sharing import sharing_of
from conformance.spec.mig_parted import ConfigurationError, Configurations, parse
from conformance.spec.names import CONFIG_KEY, DEFAULT_CONFIG_MAP, Strategy, generated_config_map


class ConfigurationFiles:
    """The files of the cluster, read with one list request; equal texts are parsed once."""

    def __init__(self, cluster: Cluster) -> None:
        self._policy = cluster.policy()
        self._data = cluster.config_maps()
        self._parsed: dict[str, Configurations] = {}

    def of(self, node: str) -> tuple[str, Configurations]:
        """Return the name and content of the file that a node takes its configurations from.

        A custom ConfigMap replaces all others; the generated one takes precedence over the default of the operator:
        docs/reference/gpu-operator.md#which-configurations-a-node-has.
        """
        custom = self._policy.config_name
        names = (custom,) if custom else (generated_config_map(node), DEFAULT_CONFIG_MAP)
        for name in names:
            if (data := self._data.get(name)) is not None:
                return name, self._parse(name, node, data)
        if self._policy.manager_enabled is False:
            return "", Configurations(MappingProxyType({}))  # nobody needs them
        raise ClusterError(f"node {node} has no mig-parted configuration: there is no ConfigMap {' or '.join(names)}")

    def sharing(self, node: NodeView) -> str:
        """Return how devices of a node are shared; empty if they are not."""
        return sharing_of(node.labels, self._policy, self._data)

    def own_strategy(self, node: NodeView) -> Strategy:
        """Return the strategy of a node while the ClusterPolicy has none: that of its file of the device plugin."""
        return strategy_in(chosen_file(node.labels, self._policy, self._data)[1])

    def _parse(self, name: str, node: str, data: Mapping[str, str]) -> Configurations:
        try:
            text = data[CONFIG_KEY]
            if text not in self._parsed:
                self._parsed[text] = parse(text)
        except KeyError as error:
            raise ClusterError(f"ConfigMap {name} of node {node} has no key {CONFIG_KEY}") from error
        except ConfigurationError as error:
            raise ClusterError(f"mig-parted would refuse ConfigMap {name} of node {node}: {error}") from error
        return self._parsed[text]
