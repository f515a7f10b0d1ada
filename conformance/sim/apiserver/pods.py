"""Pods: what the server adds to a new one and what may change later.

Source: pkg/registry/core/pod/strategy.go, pkg/apis/core/validation/validation.go and plugin/pkg/admission of
Kubernetes v1.36.
"""

from __future__ import annotations

from conformance.sim.apiserver import containers
from conformance.sim.apiserver.errors import Cause, forbidden_field, unsupported
from conformance.sim.apiserver.objects import Object, look, replaced

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
"""Values of the priority classes that every cluster has; pods of other classes get priority 0."""
FINISHED = ("Succeeded", "Failed")
"""Phases in which a pod's containers have ended for good."""


def with_defaults(pod: Object) -> Object:
    """Return a pod with those defaults that depend on other fields."""
    spec = containers.with_requests(containers.with_defaults(pod.get("spec") or {}))
    return {**pod, "spec": {"enableServiceLinks": True, **spec}}


def prepare(pod: Object) -> Object:
    """Return a new pod with the defaults of admission and the status Pending."""
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
    """Return tolerations that bear a troubled node for five minutes, where they do not say otherwise."""
    borne = {item.get("key") for item in tolerations if item.get("effect") in (None, "", "NoExecute")}
    added = [
        {"key": key, "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": _UNTIL_EVICTED_SECONDS}
        for key in _NODE_TROUBLES
        if key not in borne and None not in borne
    ]
    return [*tolerations, *added]


def quality_of_service(spec: Object) -> str:
    """Return the pod's class, which follows from requests and limits of cpu and memory."""
    sides = [
        (look(container, "resources", "requests", default={}), look(container, "resources", "limits", default={}))
        for kind in containers.CONTAINER_LISTS
        for container in spec.get(kind) or []
    ]
    native = ("cpu", "memory")
    if not any(name in side for pair in sides for side in pair for name in native):
        return "BestEffort"
    for requests, limits in sides:
        if any(name not in limits or requests.get(name) != limits[name] for name in native):
            return "Burstable"
    return "Guaranteed"


def breaches(pod: Object) -> list[Cause]:
    """Return the rules that a pod breaks."""
    found = containers.breaches(pod["spec"], "spec")
    policy = look(pod, "spec", "restartPolicy", default="Always")
    if policy not in _RESTART_POLICIES:
        found.append(unsupported("spec.restartPolicy", policy, _RESTART_POLICIES))
    return found


def update_breaches(new: Object, old: Object) -> list[Cause]:
    """Return the rules that a change of a pod breaks: nearly all of a pod's spec is fixed."""
    if new["spec"] is old["spec"] or _fixed_part(new["spec"]) == _fixed_part(old["spec"]):
        return []
    return [forbidden_field("spec", _IMMUTABLE)]


def _fixed_part(spec: Object) -> Object:
    fixed = {name: value for name, value in spec.items() if name not in _CHANGEABLE}
    for kind in containers.CONTAINER_LISTS:
        if kind in fixed:
            fixed[kind] = [replaced(container, "", "image") for container in fixed[kind]]
    return fixed


def grace_seconds(pod: Object, wanted: int | None) -> int:
    """Return how long a pod that is deleted now may take to end.

    Args:
        pod: The pod.
        wanted: What the request asks for, in seconds; None where it does not say.

    Returns:
        0 for a pod that no node runs or that has ended.
    """
    if not look(pod, "spec", "nodeName") or look(pod, "status", "phase") in FINISHED:
        return 0
    return int(look(pod, "spec", "terminationGracePeriodSeconds", default=30) if wanted is None else wanted)


def is_ready(pod: Object) -> bool:
    """Tell whether the pod's condition Ready holds."""
    conditions = look(pod, "status", "conditions", default=[])
    return any(item.get("type") == "Ready" and item.get("status") == "True" for item in conditions)
