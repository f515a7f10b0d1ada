"""What a node shows of itself once it is at rest in a cell."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar, Final

from conformance.cluster.client import Cluster
from conformance.cluster.errors import ApiError, WaitTimeout
from conformance.cluster.pod_view import PodView
from conformance.spec.names import DEVICE_PLUGIN_APP
from conformance.suite.scenario import Effect, NodeInCell, Scenario

_CONTAINER: Final = "nvidia-device-plugin"


@dataclass(frozen=True)
class PluginEnd:
    """The last end of the device plugin's container.

    Attributes:
        exit_code: Its exit code; None where it never ended.
        restarts: How often it was started again.
        log: Its log; empty where it may not be read or is gone.
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
        plugin_end: How the device plugin ended; not looked at where it must run.
    """

    allocatable: Mapping[str, int]
    labels: Mapping[str, str]
    plugin_end: PluginEnd


class LookAtRest(Scenario[None, Rest]):
    """Reads resources and labels of the node, and how a device plugin ended that cannot advertise the geometry."""

    summary: ClassVar = "read resources and labels"
    effect: ClassVar = Effect.READONLY

    def start(self, node: NodeInCell) -> None:
        """Nothing."""

    def observe(self, node: NodeInCell, started: None) -> Rest:
        """Read what is there now; where the device plugin must crash-loop, wait until it was started again."""
        del started
        end = plugin_end(node.cluster, node.name) if node.expected.refusal else PluginEnd()
        view = node.cluster.node(node.name)
        return Rest(view.allocatable, view.labels, end)


def plugin_end(cluster: Cluster, node: str) -> PluginEnd:
    """Wait until the plugin's container was started again, and say how it ended before."""
    with suppress(WaitTimeout):  # a plugin that runs on is a finding, which the case reports
        cluster.wait(
            lambda: (pod := _plugin(cluster, node)) is not None and pod.restarts > 0,
            "the device plugin to be started again",
            cluster.limits.operands_ready,
            node=node,
        )
    pod = _plugin(cluster, node)
    if pod is None:
        return PluginEnd()
    return PluginEnd(pod.exit_codes.get(_CONTAINER), pod.restarts, _log(cluster, pod))


def _plugin(cluster: Cluster, node: str) -> PodView | None:
    return next((pod for pod in cluster.operands(node, DEVICE_PLUGIN_APP) if not pod.terminating), None)


def _log(cluster: Cluster, pod: PodView) -> str:
    try:
        return "\n".join(cluster.logs(pod, _CONTAINER, previous=True))
    except ApiError:
        return ""
