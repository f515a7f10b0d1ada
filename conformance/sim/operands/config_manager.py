"""The program `config-manager`: chooses the configuration file of the device plugin or of GPU Feature Discovery.

It runs beside the program, in the same pod, and once before it starts. Source: NVIDIA/k8s-device-plugin v0.20.0,
cmd/config-manager/main.go; NVIDIA/gpu-operator v26.7.0, controllers/object_controls.go (handleDevicePluginConfig).
"""

from __future__ import annotations

import asyncio
from typing import Final

from conformance.sim.container import Container
from conformance.sim.controller import either
from conformance.sim.kube import NODES, Event, Object
from conformance.sim.node import pod_directory
from conformance.spec.names import FEATURE_DISCOVERY_APP

CONFIG_VOLUME: Final = "config"
"""The directory of the pod that the chosen file is written to."""


class UnknownConfigError(Exception):
    """The ConfigMap has no file of this name."""


async def config_manager(container: Container) -> int:
    """Write the file that the node label names, or the default; then follow the label until SIGTERM.

    Returns:
        0 after SIGTERM, or once the file is written if ONESHOT is set; 1 if there is no file of the name.
    """
    node, label = container.env["NODE_NAME"], container.env["NODE_LABEL"]
    changed = asyncio.Event()

    def on_node(_event: Event, _former: Object | None, _present: Object) -> None:
        changed.set()

    nodes = container.kube.informer(NODES)
    unfollow = nodes.on_change_of(node, on_node)
    current: str | None = None
    try:
        while not container.stop.is_set():
            changed.clear()
            labels = ((nodes.get(node) or {}).get("metadata") or {}).get("labels") or {}
            wanted = "" if container.node.faults.on("plugin-ignores-node-label") else str(labels.get(label, ""))
            if not wanted and current and container.node.faults.on("plugin-keeps-chosen-file"):
                wanted = current
            if wanted != current:
                _write(container, wanted)
                current = wanted
            if container.env.get("ONESHOT") == "true":
                return 0
            await either(changed, container.stop)
    except UnknownConfigError as error:
        container.log(f"Error: {error}")
        return 1
    finally:
        unfollow()
    return 0


def _write(container: Container, wanted: str) -> None:
    name = wanted or container.env.get("DEFAULT_CONFIG", "")
    content = container.files(f"{container.env['CONFIG_FILE_SRCDIR']}/{name}") if name else ""
    if content is None:
        raise UnknownConfigError(f"specified config {name} does not exist")
    uid, file = container.pod["metadata"]["uid"], container.env["CONFIG_FILE_DST"].rpartition("/")[2]
    path = f"{pod_directory(uid, CONFIG_VOLUME)}/{file}"
    container.log(f"Updating to {f'config: {name}' if name else 'empty config'}")
    known, container.node.files[path] = container.node.files.get(path), content
    told = container.env["PROCESS_TO_SIGNAL"]
    deaf = told == FEATURE_DISCOVERY_APP and container.node.faults.on("gfd-misses-new-file")
    if container.env.get("SEND_SIGNAL") == "true" and known != content and not deaf:
        container.log(f"Sending signal 'hangup' to '{told}'")
        container.node.hangup(uid).set()
    container.log(f"Successfully updated to {f'config: {name}' if name else 'empty config'}")
