"""Paths of objects and collections on the API server."""

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
    """Events of a namespace; core/v1 also serves events that were written through events.k8s.io."""
    return f"/api/v1/namespaces/{namespace}/events"


def namespaces() -> str:
    """All namespaces."""
    return "/api/v1/namespaces"


def namespace(name: str) -> str:
    """One namespace."""
    return f"/api/v1/namespaces/{name}"


def config_maps(namespace: str) -> str:
    """ConfigMaps of a namespace."""
    return f"/api/v1/namespaces/{namespace}/configmaps"


def config_map(namespace: str, name: str) -> str:
    """One ConfigMap."""
    return f"{config_maps(namespace)}/{name}"


def leases(namespace: str) -> str:
    """Leases of a namespace."""
    return f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases"


def lease(namespace: str, name: str) -> str:
    """One Lease."""
    return f"{leases(namespace)}/{name}"


def daemon_sets(namespace: str) -> str:
    """DaemonSets of a namespace."""
    return f"/apis/apps/v1/namespaces/{namespace}/daemonsets"


def policies() -> str:
    """All ClusterPolicies."""
    return f"/apis/{CLUSTER_POLICY_GROUP}/{CLUSTER_POLICY_VERSION}/{CLUSTER_POLICY_PLURAL}"


def policy(name: str) -> str:
    """One ClusterPolicy."""
    return f"{policies()}/{name}"


def gpu_clusters() -> str:
    """All GPUClusters, which the operator has from v26.7.0 in place of a ClusterPolicy, for its DRA driver."""
    return f"/apis/{CLUSTER_POLICY_GROUP}/v1alpha1/gpuclusters"


def disruption_budgets() -> str:
    """PodDisruptionBudgets of all namespaces."""
    return "/apis/policy/v1/poddisruptionbudgets"
