"""The resource types that the simulator uses, and their paths on the API server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from conformance.spec import names

Object = dict[str, Any]
"""One API object as JSON. Objects from an informer are shared and must not be modified."""
Key = tuple[str, str]
"""Namespace (empty for cluster-scoped objects) and name."""


class ObjectList(NamedTuple):
    """Objects of one kind, and the resourceVersion of the list."""

    items: list[Object]
    resource_version: str


def key_of(item: Object) -> Key:
    """Return namespace and name of an object."""
    meta = item["metadata"]
    return meta.get("namespace", ""), meta["name"]


def node_of(pod: Object) -> str:
    """Return the node that a pod is bound to; empty if it is not bound."""
    name: str = pod["spec"].get("nodeName") or ""
    return name


@dataclass(frozen=True)
class Resource:
    """One resource type.

    Attributes:
        group: API group; empty for the core group.
        version: Version of the group, for example `v1`.
        plural: Name in paths.
        kind: Name in objects.
        namespaced: Whether its objects belong to a namespace.
    """

    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool

    @property
    def api_version(self) -> str:
        """`apiVersion` of the objects."""
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """Return the path of the collection or, if `name` is given, of one object.

        Without a namespace, the collection covers all namespaces.
        """
        parts = ["apis" if self.group else "api", self.api_version]
        if namespace and self.namespaced:
            parts += ["namespaces", namespace]
        parts.append(self.plural)
        parts += [part for part in (name, subresource) if part]
        return "/" + "/".join(quote(part, safe="/") for part in parts)


NODES: Final = Resource("", "v1", "nodes", "Node", namespaced=False)
PODS: Final = Resource("", "v1", "pods", "Pod", namespaced=True)
NAMESPACES: Final = Resource("", "v1", "namespaces", "Namespace", namespaced=False)
CONFIG_MAPS: Final = Resource("", "v1", "configmaps", "ConfigMap", namespaced=True)
SERVICE_ACCOUNTS: Final = Resource("", "v1", "serviceaccounts", "ServiceAccount", namespaced=True)
EVENTS: Final = Resource("", "v1", "events", "Event", namespaced=True)
LEASES: Final = Resource("coordination.k8s.io", "v1", "leases", "Lease", namespaced=True)
DAEMON_SETS: Final = Resource("apps", "v1", "daemonsets", "DaemonSet", namespaced=True)
DEPLOYMENTS: Final = Resource("apps", "v1", "deployments", "Deployment", namespaced=True)
REPLICA_SETS: Final = Resource("apps", "v1", "replicasets", "ReplicaSet", namespaced=True)
CONTROLLER_REVISIONS: Final = Resource("apps", "v1", "controllerrevisions", "ControllerRevision", namespaced=True)
RUNTIME_CLASSES: Final = Resource("node.k8s.io", "v1", "runtimeclasses", "RuntimeClass", namespaced=False)
CRDS: Final = Resource(
    "apiextensions.k8s.io", "v1", "customresourcedefinitions", "CustomResourceDefinition", namespaced=False
)
CLUSTER_POLICIES: Final = Resource(
    names.CLUSTER_POLICY_GROUP, names.CLUSTER_POLICY_VERSION, names.CLUSTER_POLICY_PLURAL, "ClusterPolicy",
    namespaced=False,
)  # fmt: skip
NODE_FEATURE_RULES: Final = Resource(
    "nfd.k8s-sigs.io", "v1alpha1", "nodefeaturerules", "NodeFeatureRule", namespaced=False
)
NODE_FEATURES: Final = Resource("nfd.k8s-sigs.io", "v1alpha1", "nodefeatures", "NodeFeature", namespaced=True)
