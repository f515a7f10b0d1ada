"""Scenario: read resources and labels of a node at rest, that is once its operands are back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from conformance.cluster.client import Cluster
from conformance.cluster.errors import ApiError
from conformance.cluster.pod_view import PodView
from conformance.spec.names import DEVICE_PLUGIN_APP, DEVICE_PLUGIN_CONTAINER
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import Effect, Scenario


@dataclass(frozen=True)
class PluginEnd:
    """How the container of the device plugin last ended.

    Attributes:
        exit_code: Its exit code; None if it never ended.
        restarts: How often it was restarted.
        log: Log of the container that ended; empty if it cannot be read.
    """

    exit_code: int | None = None
    restarts: int = 0
    log: str = ""


@dataclass(frozen=True)
class Rest:
    """A node at rest.

    Attributes:
        allocatable: Resources that pods may ask for.
        labels: All labels.
        plugin_end: How the device plugin ended; empty if it is expected to run.
    """

    allocatable: Mapping[str, int]
    labels: Mapping[str, str]
    plugin_end: PluginEnd


class LookAtRest(Scenario[None, Rest]):
    """Reads resources and labels. If the plugin must refuse the geometry, also reads how it ended."""

    summary: ClassVar = "read resources and labels"
    effect: ClassVar = Effect.READONLY

    def start(self, node: NodeInCell) -> None:
        """Do nothing."""

    def observe(self, node: NodeInCell, started: None) -> Rest:
        """Read the node; if the device plugin must refuse the geometry, first wait until it was restarted."""
        del started
        end = plugin_end(node.cluster, node.name) if node.expected.refusal else PluginEnd()
        view = node.cluster.node(node.name)
        return Rest(view.allocatable, view.labels, end)


def plugin_end(cluster: Cluster, node: str) -> PluginEnd:
    """Wait up to `limits.operands_ready` for a restart of the device plugin, and return how it ended before."""
    cluster.give_time(
        lambda: (pod := _plugin(cluster, node)) is not None and pod.restarts > 0,
        "the device plugin to be started again",
        cluster.limits.operands_ready,
        node=node,
    )
    pod = _plugin(cluster, node)
    if pod is None:
        return PluginEnd()
    return PluginEnd(pod.exit_codes.get(DEVICE_PLUGIN_CONTAINER), pod.restarts, _log(cluster, pod))


def _plugin(cluster: Cluster, node: str) -> PodView | None:
    return next((pod for pod in cluster.operands(node, DEVICE_PLUGIN_APP) if not pod.terminating), None)


def _log(cluster: Cluster, pod: PodView) -> str:
    try:
        return "\n".join(cluster.logs(pod, DEVICE_PLUGIN_CONTAINER, previous=True))
    except ApiError:
        return ""
