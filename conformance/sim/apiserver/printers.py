"""The columns that `kubectl get` shows for built-in resources.

Source: pkg/printers/internalversion/printers.go of Kubernetes v1.36, for the resources that a simulated cluster has.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from conformance.sim.apiserver.objects import Object, look, name_of


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: Heading.
        cell: Returns the cell of an object's row.
        type: OpenAPI type; a `date` is shown as an age.
        format: `name` for the column that names the object.
        priority: 0 for columns that are always shown, 1 for those of `-o wide`.
    """

    name: str
    cell: Callable[[Object], Any]
    type: str = "string"
    format: str = ""
    priority: int = 0

    @property
    def definition(self) -> Object:
        """The column's own description in a table."""
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
    """Return the reason that tells most about a pod: its end, that of a container, or its phase."""
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
    """Return the columns of the resource with this group and plural name; name and age where it has none of its own."""
    return _COLUMNS.get(key, (_NAME, _AGE))
