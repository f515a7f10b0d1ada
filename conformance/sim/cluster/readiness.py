"""Readiness of a cluster that has just been started: pure functions of its objects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from conformance.sim.operator.status import READY, is_daemon_set_ready
from conformance.spec.names import (
    GFD_TIMESTAMP,
    GPU_RESOURCE,
    MIG_CAPABLE,
    MIG_CONFIG,
    MIG_CONFIG_STATE,
    MIG_RESOURCE_PREFIX,
    State,
)

Manifest = Mapping[str, Any]


def missing(
    policies: Sequence[Manifest], daemon_sets: Sequence[Manifest], nodes: Iterable[tuple[str, Manifest | None]]
) -> Iterator[str]:
    """Yield what is still missing, one line each; nothing once operands run and nodes are labelled and advertise GPUs.

    A rejected configuration (state `failed`) counts as an answer, too: no other will follow.

    Args:
        policies: The ClusterPolicies of the cluster.
        daemon_sets: The operator's DaemonSets.
        nodes: The simulated nodes with their names; None if the API server has no such node.
    """
    if not any(policy.get("status", {}).get("state") == READY for policy in policies):
        yield "ClusterPolicy is not ready"
    for daemon_set in daemon_sets:
        if not is_daemon_set_ready(daemon_set, by_generation=True):
            yield f"DaemonSet {daemon_set['metadata']['name']} is not rolled out: {daemon_set.get('status', {})}"
    managers = [policy["spec"].get("migManager", {}) for policy in policies]
    managed = any(manager.get("enabled", True) for manager in managers)
    stamped = any(manager.get("config", {}).get("default") for manager in managers)
    for name, node in nodes:
        reason = "is not registered" if node is None else _lacks(node, managed=managed, stamped=stamped)
        if reason:
            yield f"node {name} {reason}"


def _lacks(node: Manifest, *, managed: bool, stamped: bool) -> str:
    """Return what the node lacks; empty for nothing.

    Args:
        node: The node.
        managed: Whether mig-manager is on.
        stamped: Whether the operator then sets a default configuration.
    """
    labels = node["metadata"].get("labels") or {}
    if GFD_TIMESTAMP not in labels:
        return "has no labels of GPU Feature Discovery"
    expects_answer = managed and labels.get(MIG_CAPABLE) == "true" and (stamped or labels.get(MIG_CONFIG))
    if expects_answer and labels.get(MIG_CONFIG_STATE) not in (State.SUCCESS, State.FAILED):
        return f"has no answer of mig-manager to {labels.get(MIG_CONFIG, 'the default to come')}"
    allocatable = node.get("status", {}).get("allocatable", {})
    if not any(
        name.startswith((GPU_RESOURCE, MIG_RESOURCE_PREFIX)) for name, amount in allocatable.items() if amount != "0"
    ):
        return "advertises no GPU"
    return ""
