"""A cluster as preflight has read it: plain data, of which the checks are pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any, Final

from conformance.cluster.pod_view import PodView
from conformance.cluster.views import DaemonSetView, NodeView, PolicyView, Raw
from conformance.expect.versions import Declared
from conformance.operations.rights import MissingRight
from conformance.spec.names import GPU_PRESENT, MIG_CAPABLE, OPERATOR_NAMESPACE

_AUTOSCALER: Final = "/cluster-autoscaler"
"""End of the name of its image. Source: kubernetes/autoscaler, releases of the Cluster Autoscaler."""


@dataclass(frozen=True)
class SeenPolicy:
    """A ClusterPolicy.

    Attributes:
        view: The view of it.
        raw: The object, for what the view leaves out.
    """

    view: PolicyView
    raw: Raw


@dataclass(frozen=True)
class SeenNode:
    """A node.

    Attributes:
        view: The view of it.
        raw: The object, for what the view leaves out: annotations and managed fields.
    """

    view: NodeView
    raw: Raw

    @property
    def name(self) -> str:
        """Name of the node."""
        return self.view.name

    @property
    def labels(self) -> Mapping[str, str]:
        """All labels."""
        return self.view.labels

    @property
    def annotations(self) -> Mapping[str, str]:
        """All annotations."""
        found: Mapping[str, str] = self.raw["metadata"].get("annotations") or {}
        return found

    def __str__(self) -> str:
        return f"node {self.view.name}"


@dataclass(frozen=True)
class SeenPod:
    """A pod.

    Attributes:
        view: The view of it.
        failed_at: When one of its containers last ended with an error; None if none did.
    """

    view: PodView
    failed_at: datetime | None = None


@dataclass(frozen=True)
class Budget:
    """A PodDisruptionBudget.

    Attributes:
        namespace: Its namespace.
        name: Its name.
        selector: Its label selector, as in the object.
        allowed: How many pods may be evicted now.
    """

    namespace: str
    name: str
    selector: Mapping[str, Any]
    allowed: int


@dataclass(frozen=True)
class Refusal:
    """An object of the suite that the server would not create.

    Attributes:
        object: The object, such as `pod slice-user`.
        message: What the server said.
    """

    object: str
    message: str


@dataclass(frozen=True)
class Snapshot:
    """A cluster at one time.

    Attributes:
        policies: The ClusterPolicies, the oldest first: that one is active.
        gpu_clusters: Names of the GPUClusters.
        namespace: Namespace of the operator.
        nodes: The nodes to look at: all, or those that the user named.
        pods: The pods of all namespaces.
        daemon_sets: DaemonSets of the operator, by name.
        config_maps: Data of the ConfigMaps of the operator's namespace, by name.
        declared: Images that the user's file declares, by component.
        budgets: The PodDisruptionBudgets.
        journals: Names of runs that were killed and not finished.
        missing: Rights that the credentials lack for what the user wants to allow.
        refusals: Objects of the suite that the server would not create.
        unread: What these credentials may not read, so that nothing is said of it.
        taken: When the snapshot was taken, by the clock of the API server.
    """

    policies: tuple[SeenPolicy, ...] = ()
    gpu_clusters: tuple[str, ...] = ()
    namespace: str = OPERATOR_NAMESPACE
    nodes: tuple[SeenNode, ...] = ()
    pods: tuple[SeenPod, ...] = ()
    daemon_sets: Mapping[str, DaemonSetView] = field(default_factory=dict)
    config_maps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    declared: Mapping[str, Declared] = field(default_factory=dict)
    budgets: tuple[Budget, ...] = ()
    journals: tuple[str, ...] = ()
    missing: tuple[MissingRight, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    unread: tuple[str, ...] = ()
    taken: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def policy(self) -> SeenPolicy | None:
        """The active ClusterPolicy; None if there is none."""
        return self.policies[0] if self.policies else None

    @property
    def gpu_nodes(self) -> tuple[SeenNode, ...]:
        """The nodes with NVIDIA GPUs, as the operator labels them."""
        return tuple(node for node in self.nodes if node.labels.get(GPU_PRESENT) == "true")

    @property
    def mig_nodes(self) -> tuple[SeenNode, ...]:
        """The nodes with GPUs that can do MIG, as GPU Feature Discovery labels them: those that a run tests."""
        return tuple(node for node in self.nodes if node.labels.get(MIG_CAPABLE) == "true")

    @cached_property
    def autoscaled(self) -> bool:
        """Whether the Cluster Autoscaler runs as a pod of this cluster; a cloud may run it elsewhere."""
        return any(_AUTOSCALER in image for pod in self.pods for image in pod.view.images.values())

    def operands(self, app: str) -> dict[str, list[SeenPod]]:
        """Return the pods of an operand, by node."""
        found: dict[str, list[SeenPod]] = {}
        for pod in self.pods:
            view = pod.view
            if view.app == app and view.namespace == self.namespace and not view.terminating:
                found.setdefault(view.node or view.assigned_node, []).append(pod)
        return found
