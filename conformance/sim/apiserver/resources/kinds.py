"""What is particular to single kinds: their defaults, their rules, their generation and how they are deleted."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from conformance.sim.apiserver.errors import Cause, invalid, unsupported
from conformance.sim.apiserver.objects import Object, look, replaced, without
from conformance.sim.apiserver.resources import definitions, metadata, pods
from conformance.sim.apiserver.resources.selectors import selector_of

_TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_ROLLING_UPDATES: Mapping[str, Object] = {
    "updateStrategy": {"maxUnavailable": 1, "maxSurge": 0},
    "strategy": {"maxUnavailable": "25%", "maxSurge": "25%"},
}
"""How a DaemonSet and a Deployment roll where they do not say."""

_JOB_DEFAULTS: Object = {
    "parallelism": 1,
    "completions": 1,
    "backoffLimit": 6,
    "completionMode": "NonIndexed",
    "suspend": False,
}


def _same(obj: Object) -> Object:
    return obj


def _holds(_: Object) -> list[Cause]:
    return []


def _update_holds(_new: Object, _old: Object) -> list[Cause]:
    return []


@dataclass(frozen=True)
class Kind:
    """How one kind differs from all others.

    Attributes:
        default: Adds the defaults that depend on other fields; applied to every version.
        prepare: Adds what only a new object gets.
        breaches: Rules that an object breaks.
        update_breaches: Rules that a change from the second argument to the first breaks.
        grace: Seconds that a deletion leaves the object, from the object and the seconds asked for; None for kinds
            that go at once.
        keeps_status: Whether a new object keeps the status that the client gave it.
        counts_generation: Whether `metadata.generation` counts the changes of what is not metadata or status.
        needs_revision: Whether an update must name the revision that it is based on.
        made_by_update: Whether the update of an object that is not there creates it.
        answers_object: Whether a deletion is answered by the deleted object rather than by a Status.
    """

    default: Callable[[Object], Object] = _same
    prepare: Callable[[Object], Object] = _same
    breaches: Callable[[Object], list[Cause]] = _holds
    update_breaches: Callable[[Object, Object], list[Cause]] = _update_holds
    grace: Callable[[Object, int | None], int] | None = None
    keeps_status: bool = False
    counts_generation: bool = False
    needs_revision: bool = False
    made_by_update: bool = False
    answers_object: bool = False


def _namespace(namespace: Object) -> Object:
    labels = {**look(namespace, "metadata", "labels", default={})}
    labels["kubernetes.io/metadata.name"] = look(namespace, "metadata", "name", default="")
    active = {**namespace, "spec": {"finalizers": ["kubernetes"]}, "status": {"phase": "Active"}}
    return replaced(active, labels, "metadata", "labels")


def _node(node: Object) -> Object:
    capacity = look(node, "status", "capacity")
    if capacity and not look(node, "status", "allocatable"):
        return replaced(node, capacity, "status", "allocatable")
    return node


def _node_breaches(node: Object) -> list[Cause]:
    found = []
    for number, taint in enumerate(look(node, "spec", "taints", default=[])):
        found += metadata.key_breaches(taint["key"], f"metadata.taints[{number}].key")
        if taint["effect"] not in _TAINT_EFFECTS:
            found.append(unsupported(f"metadata.taints[{number}].effect", taint["effect"], _TAINT_EFFECTS))
    return found


def _secret(secret: Object) -> Object:
    plain = secret.get("stringData")
    if not plain:
        return secret
    data = {name: base64.b64encode(text.encode()).decode() for name, text in plain.items()}
    return replaced(without(secret, "stringData"), {**(secret.get("data") or {}), **data}, "data")


def _workload(workload: Object) -> Object:
    """Return a DaemonSet, Deployment, ... with the computed defaults of its pod template and its way to roll."""
    for field, rolling in _ROLLING_UPDATES.items():
        if look(workload, "spec", field, "type") == "RollingUpdate":
            given = look(workload, "spec", field, "rollingUpdate", default={})
            workload = replaced(workload, {**rolling, **given}, "spec", field, "rollingUpdate")
    spec = look(workload, "spec", "template", "spec")
    return replaced(workload, pods.with_container_defaults(spec), "spec", "template", "spec") if spec else workload


def _job(job: Object) -> Object:
    return _workload(replaced(job, {**_JOB_DEFAULTS, **look(job, "spec", default={})}, "spec"))


def _workload_breaches(workload: Object) -> list[Cause]:
    template = look(workload, "spec", "template", default={})
    found = pods.container_breaches(template.get("spec") or {}, "spec.template.spec")
    if not selector_of(look(workload, "spec", "selector", default={}))(template):
        labels = look(template, "metadata", "labels", default={})
        found.append(invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`"))
    policy = look(template, "spec", "restartPolicy", default="Always")
    if policy != "Always":
        found.append(unsupported("spec.template.spec.restartPolicy", policy, ["Always"]))
    return found


def _workload_update_breaches(new: Object, old: Object) -> list[Cause]:
    if look(new, "spec", "selector") == look(old, "spec", "selector"):
        return []
    return [invalid("spec.selector", look(new, "spec", "selector"), "field is immutable")]


_WORKLOAD = Kind(
    default=_workload,
    breaches=_workload_breaches,
    update_breaches=_workload_update_breaches,
    counts_generation=True,
)
_COUNTED = Kind(counts_generation=True)
CUSTOM = Kind(counts_generation=True, needs_revision=True)
"""Every custom resource."""

_KINDS: Mapping[tuple[str, str], Kind] = {
    ("", "endpoints"): Kind(made_by_update=True),
    ("", "events"): Kind(made_by_update=True),
    ("", "namespaces"): Kind(prepare=_namespace, answers_object=True),
    ("", "nodes"): Kind(default=_node, breaches=_node_breaches, keeps_status=True),
    ("", "pods"): Kind(
        default=pods.with_defaults,
        prepare=pods.prepare,
        breaches=pods.breaches,
        update_breaches=pods.update_breaches,
        grace=pods.grace_seconds,
        counts_generation=True,
        answers_object=True,
    ),
    ("", "secrets"): Kind(default=_secret),
    ("", "serviceaccounts"): Kind(answers_object=True),
    ("", "services"): Kind(made_by_update=True, answers_object=True),
    ("", "persistentvolumes"): Kind(answers_object=True),
    ("", "persistentvolumeclaims"): Kind(answers_object=True),
    ("", "podtemplates"): Kind(answers_object=True),
    ("", "resourcequotas"): Kind(answers_object=True),
    ("apps", "daemonsets"): _WORKLOAD,
    ("apps", "deployments"): _WORKLOAD,
    ("apps", "replicasets"): _WORKLOAD,
    ("apps", "statefulsets"): _WORKLOAD,
    ("batch", "cronjobs"): _COUNTED,
    ("batch", "jobs"): Kind(default=_job, counts_generation=True),
    ("coordination.k8s.io", "leases"): Kind(needs_revision=True, made_by_update=True),
    ("networking.k8s.io", "networkpolicies"): _COUNTED,
    ("policy", "poddisruptionbudgets"): Kind(counts_generation=True, needs_revision=True),
    ("apiextensions.k8s.io", "customresourcedefinitions"): Kind(
        default=definitions.with_default_names,
        prepare=definitions.established,
        breaches=definitions.breaches,
        counts_generation=True,
        needs_revision=True,
    ),
}


def kind_of(key: tuple[str, str]) -> Kind:
    """Return what is particular to the built-in resource with this group and plural name."""
    return _KINDS.get(key, Kind())
