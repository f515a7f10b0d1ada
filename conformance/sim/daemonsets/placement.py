"""Which nodes run a DaemonSet's pods, and the pods themselves: pure functions.

Source: Kubernetes v1.36, pkg/controller/daemon: daemon_controller.go (NodeShouldRunDaemonPod), util/daemonset_util.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from conformance.sim.tolerations import tolerates

Manifest = Mapping[str, Any]

DAEMON_TOLERATIONS: Final = tuple(
    {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": effect}
    for key, effect in (
        ("not-ready", "NoExecute"),
        ("unreachable", "NoExecute"),
        ("disk-pressure", "NoSchedule"),
        ("memory-pressure", "NoSchedule"),
        ("pid-pressure", "NoSchedule"),
        ("unschedulable", "NoSchedule"),
    )
)
"""Tolerations that every pod of a DaemonSet gets, so that it survives cordons and unready nodes."""


@dataclass(frozen=True)
class Verdict:
    """Whether a node runs a pod of a DaemonSet.

    Attributes:
        create: Whether to create a pod if there is none.
        keep: Whether an existing pod may stay.
    """

    create: bool
    keep: bool


_RUNS: Final = Verdict(create=True, keep=True)
_NOT_HERE: Final = Verdict(create=False, keep=False)


def judge(daemon_set: Manifest, node: Manifest) -> Verdict:
    """Return whether a node runs a pod of a DaemonSet, by node selector and taints."""
    template = daemon_set["spec"]["template"]["spec"]
    labels = node["metadata"].get("labels") or {}
    selector = template.get("nodeSelector") or {}
    if any(labels.get(key) != value for key, value in selector.items()):
        return _NOT_HERE
    taints = node.get("spec", {}).get("taints")
    if not taints:
        return _RUNS
    tolerations = (*(template.get("tolerations") or ()), *DAEMON_TOLERATIONS)
    refused = {taint["effect"] for taint in taints if not tolerates(tolerations, taint)}
    return Verdict(create=not refused & {"NoSchedule", "NoExecute"}, keep="NoExecute" not in refused)


def pod_for(daemon_set: Manifest, node: str, revision: str) -> dict[str, Any]:
    """Return the pod to create: the template with a node affinity that pins it to the node.

    Args:
        daemon_set: The DaemonSet.
        node: Name of the node.
        revision: Hash of the template, for the pod's label controller-revision-hash.
    """
    meta = daemon_set["metadata"]
    template = daemon_set["spec"]["template"]
    spec = template["spec"]
    owner = {
        "apiVersion": "apps/v1", "kind": "DaemonSet", "name": meta["name"], "uid": meta["uid"],
        "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip
    term = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}}
    metadata = {
        "generateName": f"{meta['name']}-",
        "namespace": meta["namespace"],
        "labels": dict(template["metadata"].get("labels") or {}) | {"controller-revision-hash": revision},
        "annotations": dict(template["metadata"].get("annotations") or {}),
        "ownerReferences": [owner],
    }
    tolerations = [*(spec.get("tolerations") or ()), *DAEMON_TOLERATIONS]
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": metadata,
        "spec": {**spec, "affinity": {**(spec.get("affinity") or {}), **affinity}, "tolerations": tolerations},
    }


def node_of(pod: Manifest) -> str:
    """Return the node that a pod is bound to or, if it is not bound, pinned to; empty if neither."""
    spec = pod["spec"]
    if bound := spec.get("nodeName"):
        return str(bound)
    node_affinity = spec.get("affinity", {}).get("nodeAffinity", {})
    required = node_affinity.get("requiredDuringSchedulingIgnoredDuringExecution", {})
    for term in required.get("nodeSelectorTerms", ()):
        for field in term.get("matchFields", ()):
            if field["key"] == "metadata.name":
                return str(field["values"][0])
    return ""
