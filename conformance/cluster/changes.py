"""The kinds of change that the timeline keeps, each one event of a watch or a part of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """Something that became different.

    Attributes:
        sequence: Position in the timeline of the whole cluster, from 0.
        time: When the suite saw it, seconds of the cluster's clock.
        node: The node it belongs to; empty for pods that are bound to none.
    """

    kind: ClassVar[str] = "change"
    sequence: int
    time: float
    node: str

    @property
    def subject(self) -> str:
        """What changed."""
        raise NotImplementedError

    def describe(self) -> str:
        """One line without the time."""
        raise NotImplementedError

    def as_dict(self) -> dict[str, Any]:
        """For reports: `time`, `kind`, `subject` and `change` (the line)."""
        return {"time": round(self.time, 3), "kind": self.kind, "subject": self.subject, "change": self.describe()}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelChange(Change):
    """One patch of the node's `nvidia.com/` labels, whole: what one event of the watch changed.

    Attributes:
        before: All `nvidia.com/` labels before.
        after: All `nvidia.com/` labels after.
        version: resourceVersion that this change gave the node.
        writer: Field manager of the last write of a changed label, where the server names one; empty otherwise.
    """

    kind: ClassVar[str] = "labels"
    before: Mapping[str, str]
    after: Mapping[str, str]
    version: str
    writer: str = ""

    @property
    def set(self) -> dict[str, str]:
        """Labels that are new or have a new value."""
        return {key: value for key, value in self.after.items() if self.before.get(key) != value}

    @property
    def removed(self) -> tuple[str, ...]:
        """Labels that are gone, sorted."""
        return tuple(sorted(self.before.keys() - self.after.keys()))

    @property
    def subject(self) -> str:
        """The changed labels."""
        return ", ".join([*self.set, *self.removed])

    def describe(self) -> str:
        """`mig.config.state=pending, -gpu.product`, the prefix left off."""
        parts = [f"{_short(key)}={value}" for key, value in sorted(self.set.items())]
        return ", ".join([*parts, *(f"-{_short(key)}" for key in self.removed)])


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceChange(Change):
    """Count of one `nvidia.com/` resource of the node.

    Attributes:
        resource: Name of the resource.
        field: `allocatable` or `capacity`.
        before: Count before; None where the name was not there.
        after: Count after; None where the name is gone.
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
        """`allocatable nvidia.com/gpu: 8 -> 0`, `-` for absent."""
        return f"{self.subject}: {_or_dash(self.before)} -> {_or_dash(self.after)}"


class PodEvent(StrEnum):
    """A step in the life of a pod, as seen from its node."""

    APPEARED = "appeared"
    """First seen on this node (or, unbound, at all)."""
    READY = "ready"
    UNREADY = "not ready"
    RESTARTED = "restarted"
    ENDED = "ended"
    """Phase Succeeded or Failed."""
    TERMINATING = "terminating"
    """Its deletion was asked for."""
    GONE = "gone"
    """The object is no longer there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodChange(Change):
    """One step in the life of a pod.

    Attributes:
        namespace: Namespace of the pod.
        name: Name of the pod.
        app: Its label `app`; empty where there is none.
        uid: Its uid.
        event: The step.
    """

    kind: ClassVar[str] = "pod"
    namespace: str
    name: str
    app: str
    uid: str
    event: PodEvent

    @property
    def subject(self) -> str:
        """Namespace and name."""
        return f"{self.namespace}/{self.name}"

    def describe(self) -> str:
        """`pod gpu-operator/nvidia-dcgm-x7k2p ready`."""
        return f"pod {self.subject} {self.event}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeChange(Change):
    """Anything else of a node that tests speak of.

    Attributes:
        field: `present`, `ready`, `unschedulable`, `boot_id` or `taints`.
        before: Value before, as text.
        after: Value after, as text.
    """

    kind: ClassVar[str] = "node"
    field: str
    before: str
    after: str

    @property
    def subject(self) -> str:
        """The field."""
        return self.field

    def describe(self) -> str:
        """`ready: True -> False`."""
        return f"{self.field}: {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChange(Change):
    """A field of the ClusterPolicy that decides what the cluster does; `node` is empty.

    Attributes:
        policy: Name of the ClusterPolicy.
        field: `strategy`, `config_name` or `state`.
        before: Value before; None where absent.
        after: Value after; None where absent.
        version: resourceVersion that this change gave the object.
        writer: Field manager of the last write of a spec field, where the server names one; empty otherwise.
    """

    kind: ClassVar[str] = "policy"
    policy: str
    field: str
    before: str | None
    after: str | None
    version: str
    writer: str = ""

    @property
    def subject(self) -> str:
        """The field."""
        return f"ClusterPolicy {self.field}"

    def describe(self) -> str:
        """`ClusterPolicy strategy: single -> mixed`."""
        return f"{self.subject}: {self.before} -> {self.after}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap(Change):
    """The watch was interrupted for longer than the server remembers: changes may be missing before this point.

    Attributes:
        what: Which objects were listed anew.
    """

    kind: ClassVar[str] = "gap"
    what: str

    @property
    def subject(self) -> str:
        """Which objects."""
        return self.what

    def describe(self) -> str:
        """Says that changes may be missing."""
        return f"watch of {self.what} had to start anew; changes may be missing before"


def _short(label: str) -> str:
    return label.removeprefix("nvidia.com/")


def _or_dash(value: int | None) -> str:
    return "-" if value is None else str(value)
