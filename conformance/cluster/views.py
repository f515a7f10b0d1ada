"""The suite's views of nodes, DaemonSets and the ClusterPolicy: small, frozen, created from raw JSON.

Pods have a module of their own, `pod_view`. The meaning of fields follows the Kubernetes API v1.36 and, for the
operator's, docs/reference/gpu-operator.md#clusterpolicy.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from conformance.spec.names import PREFIX, Strategy

Raw = Mapping[str, Any]

_SUFFIXES = {"k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
STRATEGY_ENV = "MIG_STRATEGY"
TEMPLATE_HASH = "nvidia.com/last-applied-hash"


@dataclass(frozen=True, slots=True)
class NodeView:
    """One node as of the latest watch event.

    Attributes:
        name: Name of the Node object.
        uid: UID; a Node object that is deleted and recreated gets a new one.
        version: resourceVersion of the object.
        labels: All labels.
        capacity: Capacity of each `nvidia.com/` resource that kubelet lists; 0 for a resource that was removed.
        allocatable: Allocatable count of each `nvidia.com/` resource that kubelet lists; 0 as for `capacity`.
        ready: Whether the condition Ready is True.
        unschedulable: Whether the node is cordoned.
        taints: Taints as `key=value:effect`, in the order of the object.
        boot_id: Boot id, which changes with every boot; empty if kubelet has not reported it.
        kubelet: Version of kubelet; empty if kubelet has not reported it.
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
        """Allocatable resources above 0. Kubelet keeps listing removed resources with 0 (kubernetes #92396)."""
        return {name: count for name, count in self.allocatable.items() if count}


@dataclass(frozen=True, slots=True)
class DaemonSetView:
    """One DaemonSet of the operator.

    Attributes:
        name: Name of the DaemonSet; the operator also uses it as the `app` label of the pods.
        namespace: Namespace of the operator.
        version: resourceVersion of the object.
        generation: Grows with every change of the spec.
        observed_generation: Generation that the counts below refer to; 0 before the controller's first sync.
        desired: Number of nodes that should run a pod.
        updated: Number of nodes that run a pod of the current template.
        ready: Number of nodes whose pod is Ready.
        available: Number of nodes whose pod is available (Ready for at least `minReadySeconds`).
        images: Image of each container, init containers included, by container name.
        env: Environment variables of each container, init containers included, by container name. Variables whose value
            is taken from another object are left out.
        template_hash: The operator's hash of the spec that it applied last; empty if there is none.
        selector: Labels of the nodes on which it runs.
        spec_written: When each field manager last wrote to the spec; empty if the server does not record that.
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
    env: Mapping[str, Mapping[str, str]]
    template_hash: str
    selector: Mapping[str, str] = field(default_factory=dict)
    spec_written: Mapping[str, datetime] = field(default_factory=dict)

    @property
    def strategy(self) -> str | None:
        """Value of MIG_STRATEGY in the template; None if no container has it."""
        return next((env[STRATEGY_ENV] for env in self.env.values() if env.get(STRATEGY_ENV)), None)

    @property
    def rolled(self) -> bool:
        """Whether the controller has seen the current template and every desired pod is updated and available."""
        return self.observed_generation >= self.generation and self.updated == self.available == self.desired


@dataclass(frozen=True, slots=True)
class PolicyView:
    """One ClusterPolicy as of the latest watch event.

    Attributes:
        name: Name of the object; Helm calls it `cluster-policy`, other installers may use any name.
        version: resourceVersion of the object.
        created: Creation time; if there are several ClusterPolicies, the oldest is active.
        release: Release of the operator, from the label that Helm sets; empty if there is none.
        namespace: Namespace of the operands; None until the operator has written the status.
        strategy: `spec.mig.strategy`; None if the field is absent, "" if it is empty.
        state: `status.state`: ready, notReady or ignored; None until the operator has written the status.
        manager_enabled: `spec.migManager.enabled`; None if absent, which the operator treats as true.
        config_name: Custom mig-parted ConfigMap; None or "" means the generated or the default one.
        config_default: Configuration that the operator sets on a node without `mig.config`; None if absent.
        manager_env: Environment variables of mig-manager, such as WITH_REBOOT.
        plugin_config: ConfigMap with files of the device plugin; None or "" if there is none.
        plugin_config_default: File of that ConfigMap for nodes whose label names none; None or "" for no file.
        conditions: Each condition that reports a problem, as `type: reason: message`, without what is empty.
        generation: Grows with every change of the spec.
        spec: The spec as written, for fields without an attribute.
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
    plugin_config: str | None = None
    plugin_config_default: str | None = None
    generation: int = 0
    spec: Mapping[str, Any] = field(default_factory=dict)

    @property
    def effective_strategy(self) -> Strategy:
        """Strategy as the operands see it; if absent or empty, their default `none`.

        Raises:
            ValueError: The ClusterPolicy has another value.
        """
        return Strategy(self.strategy) if self.strategy else Strategy.NONE


def count(quantity: str | int) -> int:
    """Parse the quantity of an extended resource (`7`, `1k`), which is a whole number.

    Raises:
        ValueError: The text is not a whole number with an optional suffix k, M, G, Ki, Mi or Gi.
    """
    text = str(quantity)
    suffix = text.lstrip("0123456789")
    if not suffix:
        return int(text)
    if suffix not in _SUFFIXES or suffix == text:
        raise ValueError(f"not a whole quantity: {text!r}")
    return int(text[: -len(suffix)]) * _SUFFIXES[suffix]


def nvidia_counts(quantities: Raw | None) -> dict[str, int]:
    """Return the counts of the `nvidia.com/` resources in `quantities`; None is treated as empty."""
    return {name: count(value) for name, value in (quantities or {}).items() if name.startswith(PREFIX)}


def timestamp(text: str) -> datetime:
    """Parse a Kubernetes timestamp (RFC 3339, UTC)."""
    return datetime.fromisoformat(text)


def node_view(raw: Raw) -> NodeView:
    """Create the view of a raw Node object."""
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
    """Create the view of a raw DaemonSet object."""
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
        env={container["name"]: _env(container) for container in containers},
        template_hash=(meta.get("annotations") or {}).get(TEMPLATE_HASH, ""),
        selector=pod.get("nodeSelector") or {},
        spec_written={
            str(entry.get("manager", "")): timestamp(entry["time"])
            for entry in meta.get("managedFields") or ()
            if "f:spec" in (entry.get("fieldsV1") or {}) and entry.get("time")
        },
    )


def policy_view(raw: Raw) -> PolicyView:
    """Create the view of a raw ClusterPolicy object."""
    meta, spec, status = raw["metadata"], raw.get("spec") or {}, raw.get("status") or {}
    manager = spec.get("migManager") or {}
    config, plugin = manager.get("config") or {}, (spec.get("devicePlugin") or {}).get("config") or {}
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
        plugin_config=plugin.get("name"),
        plugin_config_default=plugin.get("default"),
        generation=meta.get("generation", 0),
        spec=spec,
    )


def _condition(status: Raw, kind: str) -> str:
    return next((c["status"] for c in status.get("conditions") or () if c["type"] == kind), "Unknown")


def _env(container: Raw) -> dict[str, str]:
    return {each["name"]: each.get("value", "") for each in container.get("env") or () if "valueFrom" not in each}


def _complains(condition: Raw) -> bool:
    wanted = "False" if condition["type"] == "Error" else "True"
    return bool(condition["status"] != wanted)


def _complaint(condition: Raw) -> str:
    return ": ".join(filter(None, (condition["type"], condition.get("reason"), condition.get("message"))))
