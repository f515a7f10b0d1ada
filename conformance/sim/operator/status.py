"""Readiness of DaemonSets and the status of the ClusterPolicy: pure functions.

Source: NVIDIA/gpu-operator v26.7.0, controllers/object_controls.go (isDaemonSetReady), clusterpolicy_controller.go and
internal/conditions; v26.3.3 for readiness that ignores generations.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

Condition = dict[str, str]

READY: Final = "ready"
NOT_READY: Final = "notReady"


def is_daemon_set_ready(daemon_set: Mapping[str, Any], *, by_generation: bool) -> bool:
    """Return whether the operator considers a DaemonSet ready.

    Args:
        daemon_set: The DaemonSet with its status.
        by_generation: Whether a DaemonSet with rolling updates must have rolled out its latest generation (from
            v26.7.0). Without it, a DaemonSet can count as ready just after a change, before its pods are replaced.
    """
    status = daemon_set.get("status", {})
    desired = status.get("desiredNumberScheduled", 0)
    if desired == 0:
        return True
    if status.get("numberUnavailable", 0):
        return False
    updated = bool(status.get("updatedNumberScheduled", 0) == desired)
    if daemon_set["spec"]["updateStrategy"]["type"] == "OnDelete":
        return updated
    if not by_generation:
        return True
    seen = status.get("observedGeneration", 0) >= daemon_set["metadata"]["generation"]
    return bool(seen and updated and status.get("numberAvailable", 0) == desired)


def conditions(lagging: Sequence[str], *, found_features: bool, gpu_nodes: int) -> list[Condition]:
    """Return the conditions Ready and Error, without their times.

    Args:
        lagging: States that are not ready, by name, in the operator's order.
        found_features: Whether any node has labels of Node Feature Discovery.
        gpu_nodes: Number of nodes with GPUs; the policy is ready even if there are none.
    """
    if lagging:
        message = f"ClusterPolicy is not ready; states not ready: [{' '.join(lagging)}]"
        return [_condition("Ready", "False", "Error", ""), _condition("Error", "True", "OperandNotReady", message)]
    if not found_features:
        reason, message = "NFDLabelsMissing", "No NFD labels found"
    elif not gpu_nodes:
        reason, message = "NoGPUNodes", "No GPU node found, watching for new nodes to join the cluster."
    else:
        reason = "Reconciled"
        message = "ClusterPolicy is ready as all resources have been successfully reconciled"
    return [_condition("Ready", "True", reason, message), _condition("Error", "False", "Ready", "")]


def with_times(wanted: Sequence[Condition], found: Sequence[Mapping[str, Any]], now: str) -> list[Condition]:
    """Return the conditions with `lastTransitionTime`: `now` if the status changed, else the time in `found`."""
    before = {condition["type"]: condition for condition in found}
    return [
        condition | {"lastTransitionTime": _transition(condition, before.get(condition["type"]), now)}
        for condition in wanted
    ]


def same_conditions(wanted: Sequence[Condition], found: Sequence[Mapping[str, Any]]) -> bool:
    """Return whether `found` equals `wanted`, apart from times."""
    told = [{key: value for key, value in condition.items() if key != "lastTransitionTime"} for condition in found]
    return told == list(wanted)


def _transition(condition: Condition, before: Mapping[str, Any] | None, now: str) -> str:
    if before is None or before["status"] != condition["status"]:
        return now
    return str(before["lastTransitionTime"])


def _condition(kind: str, status: str, reason: str, message: str) -> Condition:
    return {"type": kind, "status": status, "reason": reason, "message": message}
