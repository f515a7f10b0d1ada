"""Behaviour of single kinds: defaults, validation, generation and deletion."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from conformance.sim.apiserver.errors import Cause, forbidden_field, invalid, unsupported
from conformance.sim.apiserver.objects import Object, look, replaced, without
from conformance.sim.apiserver.resources import definitions, metadata, pods
from conformance.sim.apiserver.resources.selectors import selector_of

_TAINT_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_ROLLING_UPDATES: Mapping[str, Object] = {
    "updateStrategy": {"maxUnavailable": 1, "maxSurge": 0},
    "strategy": {"maxUnavailable": "25%", "maxSurge": "25%"},
}
"""Defaults of `rollingUpdate` for DaemonSets and Deployments."""

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
    """Behaviour of one kind where it differs from others.

    Attributes:
        default: Adds defaults that depend on other fields; applied on every write.
        prepare: Adds what only a new object gets; applied on creation.
        violations: Returns the validation errors of an object.
        update_violations: Returns the validation errors of a change; takes the new and the old object.
        grace: Returns the grace period in seconds, given the object and the requested seconds; None for kinds that
            are deleted at once.
        keeps_status: Whether a new object keeps the status that the client sent.
        counts_generation: Whether `metadata.generation` counts changes outside metadata and status.
        needs_revision: Whether an update must set `metadata.resourceVersion`.
        made_by_update: Whether an update of a missing object creates it.
        answers_object: Whether a deletion returns the deleted object instead of a Status.
    """

    default: Callable[[Object], Object] = _same
    prepare: Callable[[Object], Object] = _same
    violations: Callable[[Object], list[Cause]] = _holds
    update_violations: Callable[[Object, Object], list[Cause]] = _update_holds
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


def _node_violations(node: Object) -> list[Cause]:
    found = []
    for number, taint in enumerate(look(node, "spec", "taints", default=[])):
        found += metadata.key_violations(taint["key"], f"metadata.taints[{number}].key")
        if taint["effect"] not in _TAINT_EFFECTS:
            found.append(unsupported(f"metadata.taints[{number}].effect", taint["effect"], _TAINT_EFFECTS))
    return found


def _content_violations(new: Object, old: Object) -> list[Cause]:
    """Return the validation errors of a change to a ConfigMap or Secret: one that is immutable stays so.

    Source: kubernetes/kubernetes v1.36, pkg/apis/core/validation (ValidateConfigMapUpdate, ValidateSecretUpdate).
    """
    if not old.get("immutable"):
        return []
    changed = [field for field in ("immutable", "data", "binaryData") if new.get(field) != old.get(field)]
    return [forbidden_field(field, "field is immutable when `immutable` is set") for field in changed]


def _secret(secret: Object) -> Object:
    plain = secret.get("stringData")
    if not plain:
        return secret
    data = {name: base64.b64encode(text.encode()).decode() for name, text in plain.items()}
    return replaced(without(secret, "stringData"), {**(secret.get("data") or {}), **data}, "data")


def _workload(workload: Object) -> Object:
    """Return a workload with the computed defaults of its pod template and rolling update."""
    for field, rolling in _ROLLING_UPDATES.items():
        if look(workload, "spec", field, "type") == "RollingUpdate":
            given = look(workload, "spec", field, "rollingUpdate", default={})
            workload = replaced(workload, {**rolling, **given}, "spec", field, "rollingUpdate")
    spec = look(workload, "spec", "template", "spec")
    return replaced(workload, pods.with_container_defaults(spec), "spec", "template", "spec") if spec else workload


def _job(job: Object) -> Object:
    return _workload(replaced(job, {**_JOB_DEFAULTS, **look(job, "spec", default={})}, "spec"))


def _workload_violations(workload: Object) -> list[Cause]:
    template = look(workload, "spec", "template", default={})
    found = pods.container_violations(template.get("spec") or {}, "spec.template.spec")
    if not selector_of(look(workload, "spec", "selector", default={}))(template):
        labels = look(template, "metadata", "labels", default={})
        found.append(invalid("spec.template.metadata.labels", labels, "`selector` does not match template `labels`"))
    policy = look(template, "spec", "restartPolicy", default="Always")
    if policy != "Always":
        found.append(unsupported("spec.template.spec.restartPolicy", policy, ["Always"]))
    return found


def _workload_update_violations(new: Object, old: Object) -> list[Cause]:
    if look(new, "spec", "selector") == look(old, "spec", "selector"):
        return []
    return [invalid("spec.selector", look(new, "spec", "selector"), "field is immutable")]


_WORKLOAD = Kind(
    default=_workload,
    violations=_workload_violations,
    update_violations=_workload_update_violations,
    counts_generation=True,
)
_COUNTED = Kind(counts_generation=True)
CUSTOM = Kind(counts_generation=True, needs_revision=True)
"""Behaviour of every custom resource."""

_KINDS: Mapping[tuple[str, str], Kind] = {
    ("", "configmaps"): Kind(update_violations=_content_violations),
    ("", "endpoints"): Kind(made_by_update=True),
    ("", "events"): Kind(made_by_update=True),
    ("", "namespaces"): Kind(prepare=_namespace, answers_object=True),
    ("", "nodes"): Kind(default=_node, violations=_node_violations, keeps_status=True),
    ("", "pods"): Kind(
        default=pods.with_defaults,
        prepare=pods.prepare,
        violations=pods.violations,
        update_violations=pods.update_violations,
        grace=pods.grace_seconds,
        counts_generation=True,
        answers_object=True,
    ),
    ("", "secrets"): Kind(default=_secret, update_violations=_content_violations),
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
        violations=definitions.violations,
        counts_generation=True,
        needs_revision=True,
    ),
}


def kind_of(key: tuple[str, str]) -> Kind:
    """Return the behaviour of the built-in resource with this group and plural name."""
    return _KINDS.get(key, Kind())
