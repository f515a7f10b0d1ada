"""What the suite keeps of nodes, DaemonSets and the ClusterPolicy: frozen, small, read from raw JSON.

Pods have a module of their own. Field meanings: Kubernetes API v1.36, and for the operator's
docs/reference/gpu-operator.md#clusterpolicy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from conformance.spec.names import PREFIX, Strategy

Raw = Mapping[str, Any]

_SUFFIXES = {"k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
STRATEGY_ENV = "MIG_STRATEGY"
TEMPLATE_HASH = "nvidia.com/last-applied-hash"


@dataclass(frozen=True, slots=True)
class NodeView:
    """One node as the watch last showed it.

    Attributes:
        name: Name of the Node object.
        uid: Changes when the Node object is deleted and made anew.
        version: resourceVersion of the object.
        labels: All labels.
        capacity: Count of every `nvidia.com/` resource since kubelet's start; 0 for one that is gone.
        allocatable: The same, what pods may ask for.
        ready: Condition Ready is True.
        unschedulable: The node is cordoned.
        taints: `key=value:effect`, in the order of the object.
        boot_id: Changes with every boot; empty where kubelet has not reported.
        kubelet: Version of kubelet; empty where it has not reported.
    """

    name: str
    uid: str
    version: str
    labels: Mapping[str, str]
    capacity: Mapping[str, int]
    allocatable: Mapping[str, int]
    ready: bool
    unschedulable: bool
    taints: tuple[str, ...]
    boot_id: str
    kubelet: str

    @property
    def advertised(self) -> dict[str, int]:
        """Allocatable resources above 0: kubelet keeps the names of resources that are gone (kubernetes #92396)."""
        return {name: count for name, count in self.allocatable.items() if count}


@dataclass(frozen=True, slots=True)
class DaemonSetView:
    """One DaemonSet of the operator.

    Attributes:
        name: Name; the operator uses it as `app` label of the pods too.
        namespace: Namespace of the operator.
        version: resourceVersion of the object.
        generation: Rises with every change of the spec.
        observed_generation: The generation that the counts below speak of; 0 before the controller's first look.
        desired: Nodes that should run a pod.
        updated: Nodes that run a pod of the newest template.
        ready: Nodes whose pod is Ready.
        available: Nodes whose pod has been Ready long enough.
        images: Image of each container by name, init containers included.
        strategy: Value of MIG_STRATEGY in the template; None where no container has it.
        template_hash: The operator's hash of what it applied last; empty where it has none.
    """

    name: str
    namespace: str
    version: str
    generation: int
    observed_generation: int
    desired: int
    updated: int
    ready: int
    available: int
    images: Mapping[str, str]
    strategy: str | None
    template_hash: str

    @property
    def rolled(self) -> bool:
        """Every wanted pod is of the newest template and available, and the controller has seen that template."""
        return self.observed_generation >= self.generation and self.updated == self.available == self.desired


@dataclass(frozen=True, slots=True)
class PolicyView:
    """The ClusterPolicy that rules the cluster.

    Attributes:
        name: Name of the object (`cluster-policy` by Helm, any other elsewhere).
        version: resourceVersion of the object.
        created: When it was made; of several the oldest rules.
        release: Release of the operator, from the label that Helm sets; empty where there is none.
        namespace: Where the operands run; None before the operator has written its status.
        strategy: `spec.mig.strategy`; None where it is absent, "" where empty.
        state: `status.state`: ready, notReady, ignored; None before the first status.
        manager_enabled: `spec.migManager.enabled`; None where absent (the operator then takes it as true).
        config_name: Custom mig-parted ConfigMap; None or "" means generated or shipped.
        config_default: What the operator stamps on a node without `mig.config`; None where absent.
        manager_env: Environment given to mig-manager (WITH_REBOOT lives here).
        conditions: Message of every condition that is not as it should be, `type: reason: message`.
    """

    name: str
    version: str
    created: datetime
    release: str
    namespace: str | None
    strategy: str | None
    state: str | None
    manager_enabled: bool | None
    config_name: str | None
    config_default: str | None
    manager_env: Mapping[str, str]
    conditions: tuple[str, ...]

    @property
    def effective_strategy(self) -> Strategy:
        """The strategy as the operands see it; absent or empty counts as `none`, their own default."""
        return Strategy(self.strategy) if self.strategy else Strategy.NONE


def count(quantity: str | int) -> int:
    """Whole number of a Kubernetes quantity of an extended resource (`7`, `1k`).

    Raises:
        ValueError: The text is not a whole number with one of the usual suffixes.
    """
    text = str(quantity)
    suffix = text.lstrip("0123456789")
    if not suffix:
        return int(text)
    if suffix not in _SUFFIXES or suffix == text:
        raise ValueError(f"not a whole quantity: {text!r}")
    return int(text[: -len(suffix)]) * _SUFFIXES[suffix]


def nvidia_counts(quantities: Raw | None) -> dict[str, int]:
    """Keep the counts of the `nvidia.com/` resources among `quantities`; None counts as empty."""
    return {name: count(value) for name, value in (quantities or {}).items() if name.startswith(PREFIX)}


def timestamp(text: str) -> datetime:
    """Read a time as Kubernetes writes it (RFC 3339, UTC)."""
    return datetime.fromisoformat(text)


def node_view(raw: Raw) -> NodeView:
    """Read a Node object."""
    meta, spec, status = raw["metadata"], raw.get("spec") or {}, raw.get("status") or {}
    info = status.get("nodeInfo") or {}
    return NodeView(
        name=meta["name"],
        uid=meta["uid"],
        version=meta["resourceVersion"],
        labels=meta.get("labels") or {},
        capacity=nvidia_counts(status.get("capacity")),
        allocatable=nvidia_counts(status.get("allocatable")),
        ready=_condition(status, "Ready") == "True",
        unschedulable=bool(spec.get("unschedulable")),
        taints=tuple(f"{t['key']}={t.get('value', '')}:{t['effect']}" for t in spec.get("taints") or ()),
        boot_id=info.get("bootID", ""),
        kubelet=info.get("kubeletVersion", ""),
    )


def daemon_set_view(raw: Raw) -> DaemonSetView:
    """Read a DaemonSet object."""
    meta, template, status = raw["metadata"], raw["spec"]["template"], raw.get("status") or {}
    pod = template.get("spec") or {}
    containers = [*(pod.get("initContainers") or ()), *(pod.get("containers") or ())]
    return DaemonSetView(
        name=meta["name"],
        namespace=meta["namespace"],
        version=meta["resourceVersion"],
        generation=meta.get("generation", 0),
        observed_generation=status.get("observedGeneration", 0),
        desired=status.get("desiredNumberScheduled", 0),
        updated=status.get("updatedNumberScheduled", 0),
        ready=status.get("numberReady", 0),
        available=status.get("numberAvailable", 0),
        images={container["name"]: container.get("image", "") for container in containers},
        strategy=next(filter(None, map(_strategy_of, containers)), None),
        template_hash=(meta.get("annotations") or {}).get(TEMPLATE_HASH, ""),
    )


def policy_view(raw: Raw) -> PolicyView:
    """Read a ClusterPolicy object."""
    meta, spec, status = raw["metadata"], raw.get("spec") or {}, raw.get("status") or {}
    manager = spec.get("migManager") or {}
    config = manager.get("config") or {}
    return PolicyView(
        name=meta["name"],
        version=meta["resourceVersion"],
        created=timestamp(meta["creationTimestamp"]),
        release=(meta.get("labels") or {}).get("app.kubernetes.io/version", ""),
        namespace=status.get("namespace"),
        strategy=(spec.get("mig") or {}).get("strategy"),
        state=status.get("state"),
        manager_enabled=manager.get("enabled"),
        config_name=config.get("name"),
        config_default=config.get("default"),
        manager_env={entry["name"]: entry.get("value", "") for entry in manager.get("env") or ()},
        conditions=tuple(
            _complaint(condition) for condition in status.get("conditions") or () if _complains(condition)
        ),
    )


def _condition(status: Raw, kind: str) -> str:
    return next((c["status"] for c in status.get("conditions") or () if c["type"] == kind), "Unknown")


def _strategy_of(container: Raw) -> str | None:
    return next((e.get("value") for e in container.get("env") or () if e["name"] == STRATEGY_ENV), None)


def _complains(condition: Raw) -> bool:
    wanted = "False" if condition["type"] == "Error" else "True"
    return bool(condition["status"] != wanted)


def _complaint(condition: Raw) -> str:
    return f"{condition['type']}: {condition.get('reason', '')}: {condition.get('message', '')}"
