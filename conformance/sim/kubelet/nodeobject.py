"""The Node object of a simulated machine."""

from __future__ import annotations

from typing import Final

from conformance.sim.kube import Object
from conformance.sim.kubelet.endpoint import Endpoint
from conformance.sim.node import SimNode
from conformance.spec.names import HOSTNAME, INSTANCE_TYPE
from conformance.spec.times import api_time

KUBELET_VERSION: Final = "v1.36.2"
"""Version of the kubelet that is simulated."""
STANDING: Final = {
    "cpu": "224",
    "ephemeral-storage": "1843217020Ki",
    "hugepages-1Gi": "0",
    "hugepages-2Mi": "0",
    "memory": "2113455796Ki",
    "pods": "110",
}
"""Resources of a typical machine, without devices: two 56-core processors with hyper-threading, 2 TiB."""
_OF_THE_CLOUD: Final = (INSTANCE_TYPE, "topology.kubernetes.io/region", "topology.kubernetes.io/zone")
RESERVED_MEMORY_KIB: Final = 102400
"""Memory that is not allocatable: the kubelet's hard eviction threshold, 100 MiB."""


def node_object(node: SimNode, endpoint: Endpoint) -> Object:
    """Return the Node object that the kubelet registers."""
    return {
        "metadata": {"name": node.name, "labels": dict(node.labels) | default_labels(node)},
        "spec": {"taints": [dict(taint) for taint in node.taints]} if node.taints else {},
        "status": node_status(node, endpoint),
    }


def default_labels(node: SimNode) -> dict[str, str]:
    """Return the labels that every kubelet sets, on an object that was there before as well."""
    system = {
        HOSTNAME: node.name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "beta.kubernetes.io/os": "linux",
        "beta.kubernetes.io/arch": "amd64",
    }
    return {name: value for name, value in node.labels.items() if name in _OF_THE_CLOUD} | system


def node_status(node: SimNode, endpoint: Endpoint) -> Object:
    """Return the complete status of a ready node."""
    return {
        "addresses": [{"type": "InternalIP", "address": endpoint.address}],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": endpoint.port}},
        "declaredFeatures": ["ExtendWebSocketsToKubelet"],
        "nodeInfo": _node_info(node),
        **quantities(node),
        "conditions": [
            _condition(
                node, "MemoryPressure", "False", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"
            ),
            _condition(node, "DiskPressure", "False", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            _condition(node, "PIDPressure", "False", "KubeletHasSufficientPID", "kubelet has sufficient PID available"),
            ready_condition(node, ready=True),
        ],
    }


def quantities(node: SimNode) -> Object:
    """Return `capacity` and `allocatable`, including devices."""
    devices = node.devices.quantities()
    memory = int(STANDING["memory"].removesuffix("Ki")) - RESERVED_MEMORY_KIB
    return {
        "capacity": STANDING | {name: str(quantity.capacity) for name, quantity in devices.items()},
        "allocatable": STANDING
        | {"memory": f"{memory}Ki"}
        | {name: str(quantity.allocatable) for name, quantity in devices.items()},
    }


def ready_condition(node: SimNode, *, ready: bool) -> Object:
    """Return the condition Ready with the current time."""
    if ready:
        return _condition(node, "Ready", "True", "KubeletReady", "kubelet is posting ready status")
    return _condition(node, "Ready", "False", "KubeletNotReady", "node is shutting down")


def _condition(node: SimNode, kind: str, status: str, reason: str, message: str) -> Object:
    now = api_time(node.clock.time())
    told = {"type": kind, "status": status, "reason": reason, "message": message}
    return told | {"lastHeartbeatTime": now, "lastTransitionTime": now}


def _node_info(node: SimNode) -> Object:
    boot_id = node.hardware.boot_id
    return {
        "architecture": "amd64",
        "bootID": boot_id,
        "containerRuntimeVersion": "containerd://2.1.4",
        "kernelVersion": "6.8.0-90-generic",
        "kubeProxyVersion": "",
        "kubeletVersion": KUBELET_VERSION,
        "machineID": node.name,
        "operatingSystem": "linux",
        "osImage": "Ubuntu 24.04.3 LTS",
        "systemUUID": node.name,
    }
