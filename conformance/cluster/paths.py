"""Where objects live on the API server."""

from __future__ import annotations

from conformance.spec.names import CLUSTER_POLICY_GROUP, CLUSTER_POLICY_PLURAL, CLUSTER_POLICY_VERSION


def nodes() -> str:
    """All nodes."""
    return "/api/v1/nodes"


def node(name: str) -> str:
    """One node."""
    return f"/api/v1/nodes/{name}"


def all_pods() -> str:
    """Pods of all namespaces."""
    return "/api/v1/pods"


def pods(namespace: str) -> str:
    """Pods of a namespace."""
    return f"/api/v1/namespaces/{namespace}/pods"


def pod(namespace: str, name: str) -> str:
    """One pod."""
    return f"{pods(namespace)}/{name}"


def log(namespace: str, name: str) -> str:
    """Log of a pod."""
    return f"{pod(namespace, name)}/log"


def exec_in(namespace: str, name: str) -> str:
    """Commands in a pod."""
    return f"{pod(namespace, name)}/exec"


def events(namespace: str) -> str:
    """Events of a namespace, in core/v1, which every writer of events can be read through."""
    return f"/api/v1/namespaces/{namespace}/events"


def namespaces() -> str:
    """All namespaces."""
    return "/api/v1/namespaces"


def namespace(name: str) -> str:
    """One namespace."""
    return f"/api/v1/namespaces/{name}"


def config_maps(where: str) -> str:
    """ConfigMaps of a namespace."""
    return f"/api/v1/namespaces/{where}/configmaps"


def config_map(where: str, name: str) -> str:
    """One ConfigMap."""
    return f"{config_maps(where)}/{name}"


def leases(where: str) -> str:
    """Leases of a namespace."""
    return f"/apis/coordination.k8s.io/v1/namespaces/{where}/leases"


def lease(where: str, name: str) -> str:
    """One Lease."""
    return f"{leases(where)}/{name}"


def daemon_sets(where: str) -> str:
    """DaemonSets of a namespace."""
    return f"/apis/apps/v1/namespaces/{where}/daemonsets"


def policies() -> str:
    """All ClusterPolicies."""
    return f"/apis/{CLUSTER_POLICY_GROUP}/{CLUSTER_POLICY_VERSION}/{CLUSTER_POLICY_PLURAL}"


def policy(name: str) -> str:
    """One ClusterPolicy."""
    return f"{policies()}/{name}"
