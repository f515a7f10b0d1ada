"""Pods and pod templates: defaults, admission, validation and what may change later.

Source: pkg/registry/core/pod/strategy.go, pkg/apis/core/v1/defaults.go, pkg/apis/core/validation/validation.go and
plugin/pkg/admission of Kubernetes v1.36.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from conformance.sim.apiserver.errors import Cause, duplicate, forbidden_field, invalid, required, unsupported
from conformance.sim.apiserver.objects import Object, look, replaced
from conformance.sim.apiserver.resources.decode import value_of
from conformance.sim.apiserver.resources.metadata import dns_label_violations

_STANDARD = re.compile(r"^(?:cpu|memory|ephemeral-storage|storage|hugepages-.+|attachable-volumes-.+)$")
CONTAINER_LISTS = ("initContainers", "containers")
_RESTART_POLICIES = ("Always", "OnFailure", "Never")
_UNTIL_EVICTED_SECONDS = 300
_NODE_TROUBLES = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable")
_CHANGEABLE = ("activeDeadlineSeconds", "terminationGracePeriodSeconds", "tolerations", "schedulingGates")
_IMMUTABLE = (
    "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,"
    "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),"
    "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)"
)
SYSTEM_PRIORITIES = {"system-node-critical": 2000001000, "system-cluster-critical": 2000000000}
"""Values of the built-in priority classes; pods of other classes get priority 0."""
FINISHED = ("Succeeded", "Failed")
"""Phases of pods whose containers have all terminated."""


def with_container_defaults(spec: Object) -> Object:
    """Return a pod spec with a pull policy in each container and a source in each volume."""
    spec = _with_each(spec, _with_pull_policy)
    volumes = [volume if len(volume) > 1 else {**volume, "emptyDir": {}} for volume in spec.get("volumes") or []]
    return {**spec, "volumes": volumes} if volumes else spec


def with_requests(spec: Object) -> Object:
    """Return a pod spec in which every limit without a request is the request as well."""
    return _with_each(spec, _with_requests)


def _with_each(spec: Object, change: Callable[[Object], Object]) -> Object:
    return {**spec, **{kind: [change(item) for item in spec[kind]] for kind in CONTAINER_LISTS if spec.get(kind)}}


def _with_pull_policy(container: Object) -> Object:
    if container.get("imagePullPolicy"):
        return container
    tag = str(container.get("image", "")).rpartition("/")[2].partition(":")[2]
    return {**container, "imagePullPolicy": "Always" if tag in ("", "latest") else "IfNotPresent"}


def _with_requests(container: Object) -> Object:
    limits = look(container, "resources", "limits", default={})
    requests = look(container, "resources", "requests", default={})
    if limits.keys() <= requests.keys():
        return container
    return replaced(container, {**limits, **requests}, "resources", "requests")


def is_extended(resource: str) -> bool:
    """Return whether a resource is an extended resource, such as `nvidia.com/gpu`."""
    return "/" in resource and not resource.partition("/")[0].endswith("kubernetes.io")


def container_violations(spec: Object, field: str) -> list[Cause]:
    """Return the validation errors of the containers in the pod spec at `field`."""
    if not spec.get("containers"):
        return [required(f"{field}.containers")]
    names: set[str] = set()
    found = _volume_violations(spec, field)
    for path, container in _containers(spec, field):
        name = container["name"]
        found += dns_label_violations(name, f"{path}.name")
        if name in names:
            found.append(duplicate(f"{path}.name", name))
        names.add(name)
        if not container.get("image"):
            found.append(required(f"{path}.image"))
        found += _resource_violations(container.get("resources") or {}, f"{path}.resources")
    return found


def _volume_violations(spec: Object, field: str) -> list[Cause]:
    found: list[Cause] = []
    names: set[str] = set()
    for number, volume in enumerate(spec.get("volumes") or []):
        if volume["name"] in names:
            found.append(duplicate(f"{field}.volumes[{number}].name", volume["name"]))
        names.add(volume["name"])
    for path, container in _containers(spec, field):
        for number, mount in enumerate(container.get("volumeMounts") or []):
            if mount["name"] not in names:
                at = f"{path}.volumeMounts[{number}].name"
                found.append(Cause(at, f'Not found: "{mount["name"]}"', "FieldValueNotFound"))
    return found


def _containers(spec: Object, field: str) -> Iterator[tuple[str, Object]]:
    for kind in CONTAINER_LISTS:
        for number, container in enumerate(spec.get(kind) or []):
            yield f"{field}.{kind}[{number}]", container


def _resource_violations(resources: Object, field: str) -> list[Cause]:
    limits, requests = resources.get("limits") or {}, resources.get("requests") or {}
    found: list[Cause] = []
    for side, amounts in (("limits", limits), ("requests", requests)):
        for name, amount in amounts.items():
            found += _amount_violations(name, amount, f"{field}.{side}[{name}]")
    for name, amount in requests.items():
        found += _request_violations(name, amount, limits.get(name), f"{field}.requests")
    return found


def _amount_violations(name: str, amount: str, field: str) -> list[Cause]:
    if not is_extended(name) and not _STANDARD.match(name):
        return [invalid(field, name, "must be a standard resource for containers")]
    value = value_of(amount)
    if value < 0:
        return [invalid(field, amount, "must be greater than or equal to 0")]
    if is_extended(name) and value != value.to_integral_value():
        return [invalid(field, amount, "must be an integer")]
    return []


def _request_violations(name: str, request: str, limit: Any, field: str) -> list[Cause]:
    if limit is None:
        detail = "Limit must be set for non overcommitable resources"
        return [required(field.replace("requests", "limits"), detail)] if is_extended(name) else []
    if is_extended(name) and value_of(request) != value_of(limit):
        return [invalid(field, request, f"must be equal to {name} limit of {limit}")]
    if value_of(request) > value_of(limit):
        return [invalid(field, request, f"must be less than or equal to {name} limit of {limit}")]
    return []


def with_defaults(pod: Object) -> Object:
    """Return a pod with the defaults that depend on other fields."""
    spec = with_requests(with_container_defaults(pod.get("spec") or {}))
    return {**pod, "spec": {"enableServiceLinks": True, **spec}}


def prepare(pod: Object) -> Object:
    """Return a new pod with the admission defaults and the phase Pending."""
    account = look(pod, "spec", "serviceAccountName", default="default")
    spec = {
        "preemptionPolicy": "PreemptLowerPriority",
        "priority": SYSTEM_PRIORITIES.get(look(pod, "spec", "priorityClassName", default=""), 0),
        **pod["spec"],
        "serviceAccountName": account,
        "serviceAccount": account,
        "tolerations": _with_node_troubles(look(pod, "spec", "tolerations", default=[])),
    }
    return {**pod, "spec": spec, "status": {"phase": "Pending", "qosClass": quality_of_service(spec)}}


def _with_node_troubles(tolerations: list[Object]) -> list[Object]:
    """Return the tolerations plus the defaults for nodes that are not ready or unreachable (five minutes)."""
    borne = {item.get("key") for item in tolerations if item.get("effect") in (None, "", "NoExecute")}
    added = [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _UNTIL_EVICTED_SECONDS}
        for key in _NODE_TROUBLES
        if key not in borne and None not in borne
    ]
    return [*tolerations, *added]


def quality_of_service(spec: Object) -> str:
    """Return the QoS class of a pod."""
    sides = [
        (look(container, "resources", "requests", default={}), look(container, "resources", "limits", default={}))
        for kind in CONTAINER_LISTS
        for container in spec.get(kind) or []
    ]
    native = ("cpu", "memory")
    if not any(name in side for pair in sides for side in pair for name in native):
        return "BestEffort"
    for requests, limits in sides:
        if any(name not in limits or requests.get(name) != limits[name] for name in native):
            return "Burstable"
    return "Guaranteed"


def violations(pod: Object) -> list[Cause]:
    """Return the validation errors of a pod."""
    found = container_violations(pod["spec"], "spec")
    policy = look(pod, "spec", "restartPolicy", default="Always")
    if policy not in _RESTART_POLICIES:
        found.append(unsupported("spec.restartPolicy", policy, _RESTART_POLICIES))
    return found


def update_violations(new: Object, old: Object) -> list[Cause]:
    """Return the validation errors of a change to a pod: most of its spec is immutable, and an end is final."""
    found = _address_violations(new) + _ending_violations(new, old)
    if new["spec"] is old["spec"] or _fixed_part(new["spec"]) == _fixed_part(old["spec"]):
        return found
    return [forbidden_field("spec", _IMMUTABLE), *found]


def _address_violations(pod: Object) -> list[Cause]:
    addresses = [item["ip"] for item in look(pod, "status", "podIPs", default=[])]
    families = [":" in address for address in addresses]
    if len(families) == len(set(families)):
        return []
    shown = [{"IP": address} for address in addresses]
    return [invalid("status.podIPs", shown, "may specify no more than one IP for each IP family")]


def _ending_violations(new: Object, old: Object) -> list[Cause]:
    """Return the errors of containers that have terminated for good and are said to run or wait again."""
    policy = look(new, "spec", "restartPolicy", default="Always")
    if policy == "Always" or new.get("status") is old.get("status"):
        return []
    found = []
    for kind in ("containerStatuses", "initContainerStatuses"):
        alive = {
            item["name"] for item in look(new, "status", kind, default=[]) if not look(item, "state", "terminated")
        }
        for number, item in enumerate(look(old, "status", kind, default=[])):
            ended = look(item, "state", "terminated")
            may_restart = policy == "OnFailure" and ended and ended.get("exitCode")
            if ended and not may_restart and item["name"] in alive:
                at = f"status.{kind}[{number}].state"
                found.append(forbidden_field(at, "may not be transitioned to non-terminated state"))
    return found


def _fixed_part(spec: Object) -> Object:
    fixed = {name: value for name, value in spec.items() if name not in _CHANGEABLE}
    for kind in CONTAINER_LISTS:
        if kind in fixed:
            fixed[kind] = [replaced(container, "", "image") for container in fixed[kind]]
    return fixed


def grace_seconds(pod: Object, wanted: int | None) -> int:
    """Return the grace period in seconds for the deletion of a pod.

    Args:
        pod: The pod.
        wanted: Grace period of the request, in seconds; None if it has none.

    Returns:
        0 for a pod that is not on a node or has terminated.
    """
    if not look(pod, "spec", "nodeName") or look(pod, "status", "phase") in FINISHED:
        return 0
    return int(look(pod, "spec", "terminationGracePeriodSeconds", default=30) if wanted is None else wanted)


def is_ready(pod: Object) -> bool:
    """Return whether the pod's condition Ready is true."""
    conditions = look(pod, "status", "conditions", default=[])
    return any(item.get("type") == "Ready" and item.get("status") == "True" for item in conditions)
