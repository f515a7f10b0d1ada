"""Who keeps GPUs busy, when the driver refuses a change: pods, and programs that are known for it.

The driver says that somebody uses a GPU, and not who. Nobody drains the node (gpu-operator issue 262).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from conformance.cluster.errors import ClusterError
from conformance.cluster.pod_view import PodView
from conformance.spec.names import PAUSED_APPS
from conformance.spec.package_data import read_yaml
from conformance.suite.node_in_cell import NodeInCell

_KNOWN: Final[Mapping[str, Any]] = read_yaml("gpu_holders.yaml", __package__)


def is_in_use(reason: str) -> bool:
    """Return whether mig-manager's reason of a failure says that somebody uses a GPU or an instance."""
    return any(text in reason.lower() for text in _KNOWN["in-use"])


def known_holders(node: NodeInCell, reason: str) -> tuple[str, ...]:
    """Return who may keep GPUs of a node busy, a line each, with what to do; empty if the reason is another one.

    Pods that hold a device come first, then pods of programs that use every GPU and that mig-manager does not stop,
    then such programs on the host. The last are read in the driver's pod, if the suite may run programs there.

    Args:
        node: The node.
        reason: Why the change failed, as mig-manager logged it.
    """
    if not is_in_use(reason):
        return ()
    pods = [pod for pod in node.cluster.pods(node=node.name) if not pod.ended]
    return (*_holding(pods), *_monitoring(node, pods), *_on_host(node, reason))


def _holding(pods: list[PodView]) -> Iterator[str]:
    for pod in pods:
        if pod.gpus:
            held = ", ".join(f"{name}: {count}" for name, count in sorted(pod.gpus.items()))
            yield f"pod {pod} holds {held}: delete it, or wait for its end"


def _monitoring(node: NodeInCell, pods: list[PodView]) -> Iterator[str]:
    """Pods of known programs, except those of the operands that mig-manager stops during a change."""
    stopped = {pod.uid for pod in node.cluster.operands(node.name) if pod.app in PAUSED_APPS}
    for pod in pods:
        for image in pod.images.values():
            if pod.uid not in stopped and any(part in image for part in _KNOWN["images"]):
                yield f"pod {pod} runs {image}, which uses every GPU: mig-manager does not stop it"
                break


def _on_host(node: NodeInCell, reason: str) -> Iterator[str]:
    try:
        running = node.workloads.host_processes()
    except ClusterError:
        return  # nothing is known then; the finding does not depend on it
    for name, known in _KNOWN["processes"].items():
        if name in running and known.get("of", "") in reason.lower():
            yield str(known["says"])
