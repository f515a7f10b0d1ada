"""Whether a node fits a pod by its labels, taints and cordon.

Source: kubernetes v1.36, pkg/scheduler/framework/plugins (nodeunschedulable, tainttoleration, nodeaffinity).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from conformance.sim.kube import Object
from conformance.sim.tolerations import tolerates

UNSCHEDULABLE_TAINT: Final = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
NOT_READY_TAINT: Final = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
"""What the node lifecycle controller would add; the simulated scheduler infers it from the condition Ready."""


def untolerated(pod: Object, node: Object) -> bool:
    """Whether a taint of the node keeps the pod away."""
    taints = [taint for taint in node["spec"].get("taints") or [] if taint["effect"] in ("NoSchedule", "NoExecute")]
    if not is_ready(node):
        taints.append(NOT_READY_TAINT)
    return any(not tolerates(_tolerations(pod), taint) for taint in taints)


def is_ready(node: Object) -> bool:
    """Whether the node says that it is ready; one that says nothing counts as such."""
    conditions = node.get("status", {}).get("conditions") or []
    return all(condition["status"] == "True" for condition in conditions if condition["type"] == "Ready")


def is_cordoned(pod: Object, node: Object) -> bool:
    """Whether the node is closed to pods that do not tolerate it."""
    return bool(node["spec"].get("unschedulable")) and not tolerates(_tolerations(pod), UNSCHEDULABLE_TAINT)


def matches_affinity(pod: Object, node: Object) -> bool:
    """Whether the node has what node selector and required node affinity ask for."""
    labels = node["metadata"].get("labels") or {}
    if any(labels.get(key) != value for key, value in (pod["spec"].get("nodeSelector") or {}).items()):
        return False
    terms = required_terms(pod)
    return not terms or any(_matches_term(term, labels, node["metadata"]["name"]) for term in terms)


def required_terms(pod: Object) -> Sequence[Object]:
    """Return the terms of the required node affinity, of which one must match; empty where there is none."""
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms: Sequence[Object] = required.get("nodeSelectorTerms") or []
    return terms


def pinned_nodes(pod: Object) -> frozenset[str] | None:
    """Return the nodes that the affinity names by `metadata.name`, as that of DaemonSet pods; None for no such rule."""
    names: set[str] = set()
    for term in required_terms(pod):
        fields = [rule for rule in term.get("matchFields") or [] if rule["operator"] == "In"]
        if not fields:
            return None
        names.update(fields[0]["values"])
    return frozenset(names) or None


def _tolerations(pod: Object) -> Sequence[Mapping[str, str]]:
    return pod["spec"].get("tolerations") or []


def _matches_term(term: Object, labels: Mapping[str, str], name: str) -> bool:
    expressions, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    if not expressions and not fields:
        return False
    return all(_matches(rule, labels) for rule in expressions) and all(
        _matches(rule, {"metadata.name": name}) for rule in fields
    )


def _matches(rule: Object, labels: Mapping[str, str]) -> bool:
    """Whether one requirement holds; a label that is not there satisfies only NotIn and DoesNotExist."""
    found = labels.get(rule["key"])
    values: Sequence[str] = rule.get("values") or []
    rules: Mapping[str, Callable[[], bool]] = {
        "In": lambda: found in values,
        "NotIn": lambda: found not in values,
        "Exists": lambda: found is not None,
        "DoesNotExist": lambda: found is None,
        "Gt": lambda: found is not None and int(found) > int(values[0]),
        "Lt": lambda: found is not None and int(found) < int(values[0]),
    }
    return rules[rule["operator"]]()
