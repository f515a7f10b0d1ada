"""The simulator's access to a Kubernetes API server: client, shared informers and resource types."""

from conformance.sim.kube.client import Kube, PatchKind
from conformance.sim.kube.errors import KubeError
from conformance.sim.kube.informer import Event, Handler, Informer
from conformance.sim.kube.resources import (
    CLUSTER_POLICIES,
    CONFIG_MAPS,
    CONTROLLER_REVISIONS,
    CRDS,
    DAEMON_SETS,
    EVENTS,
    LEASES,
    NAMESPACES,
    NODE_FEATURES,
    NODES,
    PODS,
    RUNTIME_CLASSES,
    SERVICE_ACCOUNTS,
    Key,
    Object,
    ObjectList,
    Resource,
    key_of,
    node_of,
)

__all__ = [
    "CLUSTER_POLICIES",
    "CONFIG_MAPS",
    "CONTROLLER_REVISIONS",
    "CRDS",
    "DAEMON_SETS",
    "EVENTS",
    "LEASES",
    "NAMESPACES",
    "NODES",
    "NODE_FEATURES",
    "PODS",
    "RUNTIME_CLASSES",
    "SERVICE_ACCOUNTS",
    "Event",
    "Handler",
    "Informer",
    "Key",
    "Kube",
    "KubeError",
    "Object",
    "ObjectList",
    "PatchKind",
    "Resource",
    "key_of",
    "node_of",
]
