"""Compares two views of one object and adds the differences to the timeline."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from conformance.cluster.changes import (
    Gap,
    LabelChange,
    NodeChange,
    Outage,
    PodChange,
    PodEvent,
    PolicyChange,
    ResourceChange,
    SpecChange,
)
from conformance.cluster.pod_view import PodView
from conformance.cluster.timeline import Timeline
from conformance.cluster.views import DaemonSetView, NodeView, PolicyView, Raw
from conformance.spec.names import PREFIX

_POLICY_FIELDS = ("strategy", "config_name", "state")
_NODE_FIELDS = ("ready", "unschedulable", "boot_id", "taints")


def gap(sequence: int, time: float, what: str) -> Gap:
    """Create the change that marks a point before which changes may be missing."""
    return Gap(sequence=sequence, time=time, node="", what=what)


def outage(seconds: float, sequence: int, time: float) -> Outage:
    """Create the change that marks the end of an outage of the API server."""
    return Outage(sequence=sequence, time=time, node="", seconds=seconds)


def node(timeline: Timeline, old: NodeView | None, new: NodeView | None, raw: Raw) -> None:
    """Record the differences of a node: labels first, then resources, then other fields."""
    if old is None or new is None:
        view: NodeView = old or new  # type: ignore[assignment] # at most one is None
        timeline.add(partial(_node_change, view, "present", str(old is not None), str(new is not None), ""))
    if new is None:
        return
    _labels(timeline, nvidia_labels(old.labels) if old else {}, new, raw)
    for field in ("allocatable", "capacity"):
        _resources(timeline, new, field, getattr(old, field) if old else {}, getattr(new, field))
    for field in _NODE_FIELDS if old else ():
        before, after = getattr(old, field), getattr(new, field)
        if before != after:
            writer = _node_writer(raw, field) or _writer(raw, _changed(old.labels if old else {}, new.labels))
            timeline.add(partial(_node_change, new, field, _text(before), _text(after), writer))


def pod(timeline: Timeline, old: PodView | None, new: PodView | None, raw: Raw) -> None:
    """Record the steps in the life of a pod between two views of it."""
    version = str((raw.get("metadata") or {}).get("resourceVersion", ""))
    if old is not None and new is not None and old.uid != new.uid:
        _pod_events(timeline, old, [PodEvent.GONE], "")
        old = None
    subject = new or old
    if subject is not None:
        _pod_events(timeline, subject, _steps(old, new), version)


def policy(timeline: Timeline, old: PolicyView | None, new: PolicyView | None, raw: Raw) -> None:
    """Record the differences of a ClusterPolicy. Creation is not recorded."""
    if old is not None and new is None:
        timeline.add(partial(_policy_change, old, "present", "True", "False", ""))
    if old is None or new is None:
        return
    if old.generation != new.generation:
        timeline.add(partial(_spec_change, new, f"ClusterPolicy {new.name}", _spec_writer(raw)))
    for field in _POLICY_FIELDS:
        before, after = getattr(old, field), getattr(new, field)
        if before != after:
            timeline.add(partial(_policy_change, new, field, before, after, _spec_writer(raw)))


def daemon_set(timeline: Timeline, old: DaemonSetView | None, new: DaemonSetView | None, raw: Raw) -> None:
    """Record that a DaemonSet has a new spec. Creation and deletion are not recorded."""
    if old is not None and new is not None and old.generation != new.generation:
        timeline.add(partial(_spec_change, new, f"DaemonSet {new.name}", _spec_writer(raw)))


def nvidia_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Return only the labels whose keys start with `nvidia.com/`."""
    return {key: value for key, value in labels.items() if key.startswith(PREFIX)}


def _labels(timeline: Timeline, before: dict[str, str], new: NodeView, raw: Raw) -> None:
    after = nvidia_labels(new.labels)
    if before == after:
        return
    writer = _writer(raw, _changed(before, after))
    timeline.add(
        lambda sequence, time: LabelChange(
            sequence=sequence, time=time, node=new.name, before=before, after=after, version=new.version, writer=writer
        )
    )


def _changed(before: Mapping[str, str], after: Mapping[str, str]) -> set[str]:
    """Return the labels that were set."""
    return {key for key, value in after.items() if before.get(key) != value}


def _writer(raw: Raw, labels: set[str]) -> str:
    """Return the last listed field manager that owns one of `labels`; removed labels have no owner."""
    for entry in reversed(raw["metadata"].get("managedFields") or ()):
        owned = (((entry.get("fieldsV1") or {}).get("f:metadata") or {}).get("f:labels")) or {}
        if any(f"f:{label}" in owned for label in labels):
            return str(entry.get("manager", ""))
    return ""


def _node_writer(raw: Raw, field: str) -> str:
    """Return the last listed field manager that owns a field of a node's spec; empty for other fields.

    A field that was removed has no owner. Who set labels in the same write has removed it.
    """
    for entry in reversed(raw["metadata"].get("managedFields") or ()):
        if f"f:{field}" in ((entry.get("fieldsV1") or {}).get("f:spec") or {}):
            return str(entry.get("manager", ""))
    return ""


def _spec_writer(raw: Raw) -> str:
    """Return the field manager of the latest write to the spec; empty if the server reports none."""
    entries = [
        entry for entry in raw["metadata"].get("managedFields") or () if "f:spec" in (entry.get("fieldsV1") or {})
    ]
    newest = sorted(entries, key=lambda entry: str(entry.get("time", "")))[-1:]
    return "".join(str(entry.get("manager", "")) for entry in newest)


def _policy_change(
    view: PolicyView, field: str, before: str | None, after: str | None, writer: str, sequence: int, time: float
) -> PolicyChange:
    return PolicyChange(
        sequence=sequence,
        time=time,
        node="",
        policy=view.name,
        field=field,
        before=before,
        after=after,
        version=view.version,
        writer=writer,
    )


def _spec_change(view: DaemonSetView | PolicyView, what: str, writer: str, sequence: int, time: float) -> SpecChange:
    return SpecChange(sequence=sequence, time=time, node="", what=what, writer=writer, version=view.version)


def _resources(
    timeline: Timeline, view: NodeView, field: str, before: Mapping[str, int], after: Mapping[str, int]
) -> None:
    for resource in sorted(before.keys() | after.keys()):
        if before.get(resource) != after.get(resource):
            timeline.add(partial(_resource_change, view, field, resource, before.get(resource), after.get(resource)))


def _steps(old: PodView | None, new: PodView | None) -> list[PodEvent]:
    if new is None:
        return [PodEvent.GONE]
    appeared = old is None or old.node != new.node
    checks = {
        PodEvent.APPEARED: appeared,
        PodEvent.RESTARTED: old is not None and new.restarts > old.restarts,
        PodEvent.READY: new.ready and (appeared or not _was(old, "ready")),
        PodEvent.UNREADY: not new.ready and _was(old, "ready"),
        PodEvent.ENDED: new.ended and (appeared or not _was(old, "ended")),
        PodEvent.TERMINATING: new.terminating and (appeared or not _was(old, "terminating")),
    }
    return [event for event, happened in checks.items() if happened]


def _was(old: PodView | None, field: str) -> bool:
    return old is not None and bool(getattr(old, field))


def _pod_events(timeline: Timeline, view: PodView, events: list[PodEvent], version: str) -> None:
    for event in events:
        timeline.add(partial(_pod_change, view, event, version))


def _pod_change(view: PodView, event: PodEvent, version: str, sequence: int, time: float) -> PodChange:
    return PodChange(
        sequence=sequence,
        time=time,
        node=view.node or "",
        namespace=view.namespace,
        name=view.name,
        app=view.app,
        uid=view.uid,
        event=event,
        gpus=view.gpus,
        run=view.run,
        revision=view.template_hash,
        disruption=view.disruption,
        version=version,
    )


def _resource_change(
    view: NodeView, field: str, resource: str, before: int | None, after: int | None, sequence: int, time: float
) -> ResourceChange:
    return ResourceChange(
        sequence=sequence,
        time=time,
        node=view.name,
        version=view.version,
        resource=resource,
        field=field,
        before=before,
        after=after,
    )


def _node_change(
    view: NodeView, field: str, before: str, after: str, writer: str, sequence: int, time: float
) -> NodeChange:
    return NodeChange(
        sequence=sequence,
        time=time,
        node=view.name,
        field=field,
        before=before,
        after=after,
        version=view.version,
        writer=writer,
    )


def _text(value: Any) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)
