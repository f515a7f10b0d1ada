"""The kinds of change that the timeline records. One watch event yields zero or more of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Base class of all changes.

    Attributes:
        sequence: Position in the timeline of the whole cluster, from 0.
        time: When the suite saw the change, in seconds of the cluster's clock.
        node: Node the change belongs to; empty for unbound pods, the ClusterPolicy and gaps.
        version: resourceVersion of the object after the change; of a removed object, that of its removal. Empty if
            unknown, and for gaps.
    """

    kind: ClassVar[str] = "change"
    sequence: int
    time: float
    node: str
    version: str = ""

    @property
    def subject(self) -> str:
        """What changed."""
        raise NotImplementedError

    def describe(self) -> str:
        """Describe the change in one line, without the time."""
        raise NotImplementedError

    def precedes(self, other: Change) -> bool:
        """Return whether the change was made before another one.

        The suite sees changes of nodes, pods and policies through different watches, each with its own delay. The
        resourceVersions tell the order: they come from one counter of the API server's store. Without them the order
        is that in which the suite saw the changes.
        """
        if self.version.isdigit() and other.version.isdigit():
            return int(self.version) < int(other.version)
        return self.sequence < other.sequence

    def as_dict(self) -> dict[str, Any]:
        """Return `time`, `kind`, `subject` and `change` (the description), for reports."""
        return {"time": round(self.time, 3), "kind": self.kind, "subject": self.subject, "change": self.describe()}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelChange(Change):
    """All changes of a node's `nvidia.com/` labels in one watch event.

    Attributes:
        before: All `nvidia.com/` labels before the change.
        after: All `nvidia.com/` labels after the change.
        writer: Field manager that owns one of the labels that were set; empty if the server reports none.
    """

    kind: ClassVar[str] = "labels"
    before: Mapping[str, str]
    after: Mapping[str, str]
    writer: str = ""

    @property
    def set(self) -> dict[str, str]:
        """Labels that were added or got a new value."""
        return {key: value for key, value in self.after.items() if self.before.get(key) != value}

    @property
    def removed(self) -> tuple[str, ...]:
        """Labels that were removed, sorted."""
        return tuple(sorted(self.before.keys() - self.after.keys()))

    @property
    def subject(self) -> str:
        """The changed labels."""
        return ", ".join([*self.set, *self.removed])

    def describe(self) -> str:
        """For example `mig.config.state=pending, -gpu.product`, without the prefix `nvidia.com/`."""
        parts = [f"{_short(key)}={value}" for key, value in sorted(self.set.items())]
        return ", ".join([*parts, *(f"-{_short(key)}" for key in self.removed)])


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceChange(Change):
    """A changed count of one `nvidia.com/` resource of a node.

    Attributes:
        resource: Name of the resource.
        field: `allocatable` or `capacity`.
        before: Count before; None if the node did not list the resource.
        after: Count after; None if the node no longer lists the resource.
    """

    resource: str
    field: str
    before: int | None
    after: int | None
    kind: ClassVar[str] = "resource"

    @property
    def subject(self) -> str:
        """Field and resource."""
        return f"{self.field} {self.resource}"

    def describe(self) -> str:
        """For example `allocatable nvidia.com/gpu: 8 -> 0`; `-` stands for None."""
        return f"{self.subject}: {_or_dash(self.before)} -> {_or_dash(self.after)}"


class PodEvent(StrEnum):
    """A step in the life of a pod on one node."""

    APPEARED = "appeared"
    """First seen on this node or, while unbound, first seen at all."""
    READY = "ready"
    UNREADY = "not ready"
    RESTARTED = "restarted"
    ENDED = "ended"
    """Phase Succeeded or Failed."""
    TERMINATING = "terminating"
    """Deletion was requested; the object still exists."""
    GONE = "gone"
    """The object no longer exists."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodChange(Change):
    """One step in the life of a pod.

    Attributes:
        namespace: Namespace of the pod.
        name: Name of the pod.
        app: Value of its label `app`; empty if it has none.
        uid: UID of the pod.
        event: What happened.
        gpus: GPUs or slices that it requests, by resource.
        run: Id of the suite's run that created the pod; None for pods that the suite did not create.
        revision: Revision of the DaemonSet template that the pod was created from; empty for other pods.
        disruption: Reason of its condition DisruptionTarget, such as `EvictionByEvictionAPI`; empty for none.
    """

    kind: ClassVar[str] = "pod"
    namespace: str
    name: str
    app: str
    uid: str
    event: PodEvent
    gpus: Mapping[str, int] = field(default_factory=dict)
    run: str | None = None
    revision: str = ""
    disruption: str = ""

    @property
    def subject(self) -> str:
        """Namespace and name."""
        return f"{self.namespace}/{self.name}"

    def describe(self) -> str:
        """For example `pod gpu-operator/nvidia-dcgm-x7k2p ready`."""
        return f"pod {self.subject} {self.event}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeChange(Change):
    """A change of a node field other than labels and resources.

    Attributes:
        field: `present`, `ready`, `unschedulable`, `boot_id` or `taints`.
        before: Value before, as text.
        after: Value after, as text.
        writer: Field manager that owns the new value of `unschedulable` or `taints`; empty if the server reports none.
    """

    kind: ClassVar[str] = "node"
    field: str
    before: str
    after: str
    writer: str = ""

    @property
    def subject(self) -> str:
        """The field."""
        return self.field

    def describe(self) -> str:
        """For example `ready: True -> False`."""
        return f"{self.field}: {self.before or 'none'} -> {self.after or 'none'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChange(Change):
    """A change of one ClusterPolicy field; `node` is empty.

    Attributes:
        policy: Name of the ClusterPolicy.
        field: `strategy`, `config_name`, `state` or, where it was deleted, `present`.
        before: Value before; None if the field was absent.
        after: Value after; None if the field is absent.
        writer: Field manager of the latest write to the spec; empty if the server reports none.
    """

    kind: ClassVar[str] = "policy"
    policy: str
    field: str
    before: str | None
    after: str | None
    writer: str = ""

    @property
    def subject(self) -> str:
        """The field."""
        return f"ClusterPolicy {self.field}"

    def describe(self) -> str:
        """For example `ClusterPolicy strategy: single -> mixed`."""
        if self.field == "present":
            return f"ClusterPolicy {self.policy} deleted"
        return f"{self.subject}: {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpecChange(Change):
    """A new spec of an object that concerns every node; `node` is empty.

    Attributes:
        what: Kind and name of the object, such as `DaemonSet nvidia-dcgm`.
        writer: Field manager of the latest write to the spec; empty if the server reports none.
    """

    kind: ClassVar[str] = "spec"
    what: str
    writer: str = ""

    @property
    def subject(self) -> str:
        """The object."""
        return self.what

    def describe(self) -> str:
        """For example `the spec of DaemonSet nvidia-dcgm changed`."""
        return f"the spec of {self.what} changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap(Change):
    """A watch could not be resumed, so the objects were listed again: earlier changes may be missing.

    Attributes:
        what: The objects concerned, such as `nodes`.
    """

    kind: ClassVar[str] = "gap"
    what: str

    @property
    def subject(self) -> str:
        """The objects concerned."""
        return self.what

    def describe(self) -> str:
        """Describe the gap."""
        return f"the watch of {self.what} was restarted; earlier changes may be missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outage(Change):
    """The API server did not answer for a while: components stood still, and their own limits may have passed.

    Attributes:
        seconds: Length in real seconds.
    """

    kind: ClassVar[str] = "gap"
    seconds: float

    @property
    def subject(self) -> str:
        """What did not answer."""
        return "API server"

    def describe(self) -> str:
        """For example `the API server did not answer for 15 s`."""
        return f"the API server did not answer for {self.seconds:.0f} s"


def _short(label: str) -> str:
    return label.removeprefix("nvidia.com/")


def _or_dash(value: int | None) -> str:
    return "-" if value is None else str(value)
