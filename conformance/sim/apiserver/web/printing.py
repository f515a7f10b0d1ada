"""Tables as `kubectl get` shows them: the columns of each resource and the rows of its objects.

Source: pkg/printers/internalversion/printers.go of Kubernetes v1.36, for the resources that a simulated cluster has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from conformance.sim.apiserver.objects import Object, look, name_of
from conformance.sim.apiserver.resources.catalog import Served

_SEGMENT = re.compile(r"\.([A-Za-z0-9_\-\\./]+?)(?=\.|\[|$)|\[(?:'([^']+)'|(\d+)|\?\(@\.(\w+)==\"([^\"]*)\"\)|\*)\]")
_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400
_RANGES = (
    (2 * _MINUTE, 1, "s", 0, ""),
    (10 * _MINUTE, _MINUTE, "m", 1, "s"),
    (3 * _HOUR, _MINUTE, "m", 0, ""),
    (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
    (48 * _HOUR, _HOUR, "h", 0, ""),
    (8 * _DAY, _DAY, "d", _HOUR, "h"),
    (2 * _YEAR, _DAY, "d", 0, ""),
    (8 * _YEAR, _YEAR, "y", _DAY, "d"),
)
"""Upper limit in seconds; size and suffix of the unit; size and suffix of the smaller unit beside it (0 for none).

Source: k8s.io/apimachinery pkg/util/duration v0.36."""


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: Heading.
        cell: Returns the value for an object.
        type: OpenAPI type; a `date` is shown as an age.
        format: `name` for the column that names the object.
        priority: 0 for columns that are always shown, 1 for those shown with `-o wide`.
    """

    name: str
    cell: Callable[[Object], Any]
    type: str = "string"
    format: str = ""
    priority: int = 0

    @property
    def definition(self) -> Object:
        """The column definition in a table."""
        return {
            "name": self.name,
            "type": "string" if self.type == "date" else self.type,
            "format": self.format,
            "description": self.name,
            "priority": self.priority,
        }


_NAME = Column("Name", name_of, format="name")
_AGE = Column("Age", lambda obj: look(obj, "metadata", "creationTimestamp"), type="date")


def _at(heading: str, *path: str, default: Any = "<none>", kind: str = "string", priority: int = 0) -> Column:
    return Column(heading, lambda obj: look(obj, *path, default=default), type=kind, priority=priority)


def _count(heading: str, *path: str) -> Column:
    return _at(heading, *path, default=0, kind="integer")


def _size(heading: str, field: str) -> Column:
    return Column(heading, lambda obj: len(obj.get(field) or ()), type="integer")


def _condition(obj: Object, kind: str) -> str:
    conditions = look(obj, "status", "conditions", default=[])
    return str(next((item["status"] for item in conditions if item.get("type") == kind), "Unknown"))


def _node_status(node: Object) -> str:
    ready = {"True": "Ready", "False": "NotReady"}.get(_condition(node, "Ready"), "Unknown")
    return f"{ready},SchedulingDisabled" if look(node, "spec", "unschedulable") else ready


def _node_roles(node: Object) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = look(node, "metadata", "labels", default={})
    return ",".join(sorted(key.removeprefix(prefix) for key in labels if key.startswith(prefix))) or "<none>"


def _node_address(node: Object) -> str:
    addresses = look(node, "status", "addresses", default=[])
    return str(next((item["address"] for item in addresses if item.get("type") == "InternalIP"), "<none>"))


def _containers_ready(pod: Object) -> str:
    statuses = look(pod, "status", "containerStatuses", default=[])
    ready = sum(bool(status.get("ready")) for status in statuses)
    return f"{ready}/{len(look(pod, 'spec', 'containers', default=[]))}"


def _pod_status(pod: Object) -> str:
    """Return the status that kubectl shows: a reason of the pod or of a container, or the phase."""
    reason = str(look(pod, "status", "reason", default=look(pod, "status", "phase", default="Unknown")))
    initial = _init_reason(pod)
    if initial:
        reason = initial
    else:
        for status in look(pod, "status", "containerStatuses", default=[]):
            state = status.get("state") or {}
            told = look(state, "waiting", "reason") or look(state, "terminated", "reason")
            reason = told or reason
    return "Terminating" if look(pod, "metadata", "deletionTimestamp") else reason


def _init_reason(pod: Object) -> str:
    statuses = look(pod, "status", "initContainerStatuses", default=[])
    for number, status in enumerate(statuses):
        state = status.get("state") or {}
        if look(state, "terminated", "exitCode") == 0:
            continue
        told = look(state, "terminated", "reason") or look(state, "waiting", "reason")
        return f"Init:{told}" if told and told != "PodInitializing" else f"Init:{number}/{len(statuses)}"
    return ""


def _restarts(pod: Object) -> str:
    return str(sum(status.get("restartCount", 0) for status in look(pod, "status", "containerStatuses", default=[])))


def _selector(obj: Object) -> str:
    pairs = look(obj, "spec", "template", "spec", "nodeSelector", default={})
    return ",".join(f"{key}={value}" for key, value in sorted(pairs.items())) or "<none>"


def _involved(event: Object) -> str:
    involved = event.get("involvedObject") or {}
    return f"{str(involved.get('kind', '')).lower()}/{involved.get('name', '')}"


def _last_seen(event: Object) -> Any:
    return event.get("lastTimestamp") or event.get("eventTime") or event.get("firstTimestamp")


_COLUMNS: Mapping[tuple[str, str], tuple[Column, ...]] = {
    ("", "nodes"): (
        _NAME, Column("Status", _node_status), Column("Roles", _node_roles), _AGE,
        _at("Version", "status", "nodeInfo", "kubeletVersion", default=""),
        Column("Internal-IP", _node_address, priority=1),
        _at("OS-Image", "status", "nodeInfo", "osImage", default="<unknown>", priority=1),
        _at("Kernel-Version", "status", "nodeInfo", "kernelVersion", default="<unknown>", priority=1),
        _at("Container-Runtime", "status", "nodeInfo", "containerRuntimeVersion", default="<unknown>", priority=1),
    ),
    ("", "pods"): (
        _NAME, Column("Ready", _containers_ready), Column("Status", _pod_status), Column("Restarts", _restarts), _AGE,
        _at("IP", "status", "podIP", priority=1), _at("Node", "spec", "nodeName", priority=1),
        _at("Nominated Node", "status", "nominatedNodeName", priority=1),
        Column("Readiness Gates", lambda _: "<none>", priority=1),
    ),
    ("", "namespaces"): (_NAME, _at("Status", "status", "phase"), _AGE),
    ("", "configmaps"): (_NAME, _size("Data", "data"), _AGE),
    ("", "secrets"): (_NAME, _at("Type", "type"), _size("Data", "data"), _AGE),
    ("", "serviceaccounts"): (_NAME, _size("Secrets", "secrets"), _AGE),
    ("", "services"): (
        _NAME, _at("Type", "spec", "type"), _at("Cluster-IP", "spec", "clusterIP"),
        _at("External-IP", "spec", "externalName"), _AGE,
    ),
    ("", "events"): (
        Column("Last Seen", _last_seen, type="date"), _at("Type", "type"), _at("Reason", "reason"),
        Column("Object", _involved), _at("Message", "message", default=""),
        Column("Name", name_of, format="name", priority=1),
    ),
    ("apps", "daemonsets"): (
        _NAME, _count("Desired", "status", "desiredNumberScheduled"),
        _count("Current", "status", "currentNumberScheduled"), _count("Ready", "status", "numberReady"),
        _count("Up-to-date", "status", "updatedNumberScheduled"), _count("Available", "status", "numberAvailable"),
        Column("Node Selector", _selector), _AGE,
    ),
    ("apps", "deployments"): (
        _NAME,
        Column("Ready", lambda obj: f"{look(obj, 'status', 'readyReplicas', default=0)}/"
                                    f"{look(obj, 'spec', 'replicas', default=0)}"),
        _count("Up-to-date", "status", "updatedReplicas"), _count("Available", "status", "availableReplicas"), _AGE,
    ),
    ("apps", "replicasets"): (
        _NAME, _count("Desired", "spec", "replicas"), _count("Current", "status", "replicas"),
        _count("Ready", "status", "readyReplicas"), _AGE,
    ),
    ("batch", "jobs"): (
        _NAME,
        Column("Status", lambda obj: "Complete" if _condition(obj, "Complete") == "True" else "Running"),
        Column("Completions", lambda obj: f"{look(obj, 'status', 'succeeded', default=0)}/"
                                          f"{look(obj, 'spec', 'completions', default=1)}"),
        _AGE,
    ),
    ("batch", "cronjobs"): (_NAME, _at("Schedule", "spec", "schedule"), _at("Suspend", "spec", "suspend"), _AGE),
    ("coordination.k8s.io", "leases"): (_NAME, _at("Holder", "spec", "holderIdentity", default=""), _AGE),
    ("node.k8s.io", "runtimeclasses"): (_NAME, _at("Handler", "handler"), _AGE),
    ("policy", "poddisruptionbudgets"): (
        _NAME, _at("Min Available", "spec", "minAvailable", default="N/A"),
        _at("Max Unavailable", "spec", "maxUnavailable", default="N/A"),
        _count("Allowed Disruptions", "status", "disruptionsAllowed"), _AGE,
    ),
    ("apiextensions.k8s.io", "customresourcedefinitions"): (
        _NAME, Column("Created At", lambda obj: look(obj, "metadata", "creationTimestamp")),
    ),
}  # fmt: skip


def columns_of(key: tuple[str, str]) -> tuple[Column, ...]:
    """Return the columns of the resource with this group and plural name; name and age by default."""
    return _COLUMNS.get(key, (_NAME, _AGE))


def table(
    objects: Sequence[Object], metadata: Mapping[str, Any], served: Served, now: datetime, include: str
) -> Object:
    """Return the objects as a `Table` of meta.k8s.io/v1.

    Args:
        objects: The objects, one per row.
        metadata: Metadata of the list.
        served: The resource, which determines the columns.
        now: Current time, for ages.
        include: How much of its object each row contains: `None`, `Metadata` or `Object`.
    """
    columns = _columns(served)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [column.definition for column in columns],
        "rows": [
            {"cells": [_shown(column, obj, now) for column in columns], **_carried(obj, include)} for obj in objects
        ],
    }


def _carried(obj: Object, include: str) -> Object:
    if include == "None":
        return {}
    if include == "Object":
        return {"object": obj}
    return {"object": metadata_only(obj)}


def metadata_only(obj: Object) -> Object:
    """Return an object's metadata as a PartialObjectMetadata."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def _columns(served: Served) -> tuple[Column, ...]:
    if not served.columns:
        return columns_of(served.resource.key)
    name = Column("Name", name_of, format="name")
    return (name, *(_custom_column(column) for column in served.columns))


def _custom_column(column: Mapping[str, Any]) -> Column:
    path = column["jsonPath"]
    return Column(
        column["name"],
        lambda obj: first_at(obj, path),
        type=column["type"],
        format=column.get("format", ""),
        priority=column.get("priority", 0),
    )


def _shown(column: Column, obj: Object, now: datetime) -> Any:
    value = column.cell(obj)
    if column.type == "date":
        return age(value, now)
    return value


def first_at(value: Any, path: str) -> Any:
    """Return what a simple JSONPath (`.spec.size`, `.status.conditions[?(@.type=="Ready")].status`) selects first."""
    for field, quoted, index, key, wanted in _SEGMENT.findall(path):
        if index:
            value = value[int(index)] if isinstance(value, list) and len(value) > int(index) else None
        elif key:
            value = next((item for item in value or [] if str(item.get(key)) == wanted), None)
        elif field or quoted:
            value = look(value, (field or quoted).replace("\\.", "."))
        elif isinstance(value, list):
            value = value[0] if value else None
    return value


def age(since: Any, now: datetime) -> str:
    """Return how long ago a time is, as kubectl shows it."""
    if not isinstance(since, str):
        return "<unknown>"
    return duration(now - datetime.fromisoformat(since))


def duration(elapsed: timedelta) -> str:
    """Return a duration as kubectl shows it: `75s`, `3m20s`, `5h`, `12d`."""
    seconds = max(int(elapsed.total_seconds()), 0)
    for below, size, unit, smaller_size, smaller in _RANGES:
        if seconds < below:
            rest = seconds % size // smaller_size if smaller else 0
            return f"{seconds // size}{unit}" + (f"{rest}{smaller}" if rest else "")
    return f"{seconds // _YEAR}y"
