"""Where a DaemonSet's pods belong: pure functions.

Source: Kubernetes v1.36, pkg/controller/daemon: daemon_controller.go (NodeShouldRunDaemonPod), util/daemonset_util.go.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

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
"""Tolerations that every pod of a DaemonSet gets, so that neither cordon nor an unready node takes it away."""


@dataclass(frozen=True)
class Verdict:
    """Whether a node is to carry a pod.

    Attributes:
        create: A pod is to be made where there is none.
        keep: A pod that is there may stay.
    """

    create: bool
    keep: bool


_RUNS: Final = Verdict(create=True, keep=True)
_NOT_HERE: Final = Verdict(create=False, keep=False)


def judge(daemon_set: Manifest, node: Manifest) -> Verdict:
    """Say whether a node is to carry a pod of a DaemonSet, by its node selector and the node's taints."""
    template = daemon_set["spec"]["template"]["spec"]
    labels = node["metadata"].get("labels") or {}
    selector = template.get("nodeSelector") or {}
    if any(labels.get(key) != value for key, value in selector.items()):
        return _NOT_HERE
    taints = node.get("spec", {}).get("taints")
    if not taints:
        return _RUNS
    tolerations = (*(template.get("tolerations") or ()), *DAEMON_TOLERATIONS)
    refused = {taint["effect"] for taint in taints if not _is_tolerated(taint, tolerations)}
    return Verdict(create=not refused & {"NoSchedule", "NoExecute"}, keep="NoExecute" not in refused)


def pod_for(daemon_set: Manifest, node: str, revision: str) -> dict[str, Any]:
    """Build the pod to create: the template, bound to the node by affinity so that the scheduler places it.

    Args:
        daemon_set: Its DaemonSet.
        node: Name of the node.
        revision: Hash of the template, the pod's label controller-revision-hash.
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
    """Return the node that a pod of a DaemonSet is bound to, or wants while it is not bound; empty if it names none."""
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


def _is_tolerated(taint: Mapping[str, str], tolerations: Sequence[Mapping[str, str]]) -> bool:
    return any(_tolerates(toleration, taint) for toleration in tolerations)


def _tolerates(toleration: Mapping[str, str], taint: Mapping[str, str]) -> bool:
    if toleration.get("effect") and toleration["effect"] != taint["effect"]:
        return False
    if toleration.get("key") and toleration["key"] != taint["key"]:
        return False
    if toleration.get("operator", "Equal") == "Exists":
        return True
    return bool(toleration.get("key")) and toleration.get("value", "") == taint.get("value", "")
