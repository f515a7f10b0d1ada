"""Filters: whether a node fits a pod by labels, taints and cordon.

Source: kubernetes v1.36, pkg/scheduler/framework/plugins (nodeunschedulable, tainttoleration, nodeaffinity).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from conformance.sim.kube import Object
from conformance.sim.tolerations import tolerates

UNSCHEDULABLE_TAINT: Final = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
NOT_READY_TAINT: Final = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
"""Taint that the node lifecycle controller would add; the simulated scheduler infers it from the condition Ready."""


def repelling_taints(node: Object) -> Sequence[Mapping[str, str]]:
    """Return the taints of a node that keep pods away, with that of a node that is not ready."""
    taints = [taint for taint in node["spec"].get("taints") or [] if taint["effect"] in ("NoSchedule", "NoExecute")]
    return taints if is_ready(node) else [*taints, NOT_READY_TAINT]


def tolerates_all(pod: Object, taints: Sequence[Mapping[str, str]]) -> bool:
    """Return whether the pod tolerates every one of the taints."""
    return not taints or all(tolerates(_tolerations(pod), taint) for taint in taints)


def is_ready(node: Object) -> bool:
    """Return whether the node is ready; a node without the condition counts as ready."""
    conditions = node.get("status", {}).get("conditions") or []
    return all(condition["status"] == "True" for condition in conditions if condition["type"] == "Ready")


def is_cordoned(node: Object) -> bool:
    """Return whether the node is cordoned."""
    return bool(node["spec"].get("unschedulable"))


def tolerates_cordon(pod: Object) -> bool:
    """Return whether the pod may be placed on a cordoned node."""
    return tolerates(_tolerations(pod), UNSCHEDULABLE_TAINT)


def matches_affinity(pod: Object, node: Object) -> bool:
    """Return whether the node matches the pod's node selector and required node affinity."""
    labels = node["metadata"].get("labels") or {}
    if any(labels.get(key) != value for key, value in (pod["spec"].get("nodeSelector") or {}).items()):
        return False
    terms = required_terms(pod)
    return not terms or any(_matches_term(term, labels, node["metadata"]["name"]) for term in terms)


def required_terms(pod: Object) -> Sequence[Object]:
    """Return the terms of the required node affinity, one of which must match; empty if there are none."""
    affinity = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    terms: Sequence[Object] = required.get("nodeSelectorTerms") or []
    return terms


def label_keys(pod: Object) -> frozenset[str]:
    """Return the keys of the node labels that `matches_affinity` reads."""
    rules = (rule for term in required_terms(pod) for rule in term.get("matchExpressions") or [])
    return frozenset(pod["spec"].get("nodeSelector") or {}).union(rule["key"] for rule in rules)


def pinned_nodes(pod: Object) -> frozenset[str] | None:
    """Return the node names that the affinity requires by `metadata.name`; None if it does not pin the pod."""
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
    """Return whether a requirement holds; a missing label satisfies only NotIn and DoesNotExist."""
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
