"""A mig-manager for the stand: answers label changes as it was told to."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

from conformance.cluster import paths
from conformance.cluster.connecting import connect
from conformance.cluster.errors import ClusterError
from conformance.spec.names import DEVICE_PLUGIN_APP, MIG_CONFIG, PAUSED
from tests.cluster.stand import QUICK, Stand

Script = Callable[[Stand, str, str], None]


def succeeds(stand: Stand, node: str, configuration: str) -> None:
    """The whole way: pending, operands paused, new operands, success."""
    stand.label(node, mig__config__state="pending")
    stand.label(node, gpu__deploy__plugin=None, **{"gpu__deploy__device-plugin": PAUSED})
    for pod in _plugin_pods(stand, node):
        stand.remove_pod(pod)
    stand.label(node, **{"gpu__deploy__device-plugin": "true"}, gpu__deploy__nvsm="true")
    stand.label(node, mig__config__state="success")
    plugin(stand, node, f"plugin-{node}-{configuration.replace('.', '-')}")


def has_nothing_to_do(stand: Stand, node: str, configuration: str) -> None:
    del configuration
    stand.label(node, mig__config__state="success")


def refuses(stand: Stand, node: str, configuration: str) -> None:
    del configuration
    stand.label(node, mig__config__state="failed")


def fails(stand: Stand, node: str, configuration: str) -> None:
    """Fails after the start and leaves the plugin paused."""
    del configuration
    stand.label(node, mig__config__state="pending")
    stand.label(node, **{"gpu__deploy__device-plugin": PAUSED})
    stand.label(node, mig__config__state="failed")


def hangs(stand: Stand, node: str, configuration: str) -> None:
    del configuration
    stand.label(node, mig__config__state="pending")


def plugin(stand: Stand, node: str, name: str) -> str:
    """Give a node a device plugin that is Ready."""
    return stand.pod(name, node=node, app=DEVICE_PLUGIN_APP, owner=DEVICE_PLUGIN_APP)


def _plugin_pods(stand: Stand, node: str) -> list[str]:
    query = {"labelSelector": f"app={DEVICE_PLUGIN_APP}", "fieldSelector": f"spec.nodeName={node}"}
    return [item["metadata"]["name"] for item in stand.hand.get(paths.all_pods(), query)["items"]]


class Manager:
    """Runs a script for each change of `mig.config` while the context is open, one at a time."""

    def __init__(self, stand: Stand, script: Script) -> None:
        self.script = script
        self._stand = stand
        self._transport = connect(stand.kubeconfig, None, QUICK)
        listed = self._transport.get(paths.nodes())
        self._known = {item["metadata"]["name"]: _config(item) for item in listed["items"]}
        query = {"watch": "1", "resourceVersion": listed["metadata"]["resourceVersion"]}
        self._stream = self._transport.stream(paths.nodes(), query, 60)
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Manager:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stream.close()
        self._thread.join()
        self._transport.close()

    def _run(self) -> None:
        try:
            for line in self._stream:
                self._take(json.loads(line)["object"])
        except ClusterError:
            return  # the stream was closed

    def _take(self, node: dict[str, Any]) -> None:
        name, value = node["metadata"]["name"], _config(node)
        changed = self._known.get(name) != value
        self._known[name] = value
        if changed and value:
            self.script(self._stand, name, value)


def _config(node: dict[str, Any]) -> str | None:
    labels: dict[str, str] = node["metadata"].get("labels") or {}
    return labels.get(MIG_CONFIG)
