"""Checks of what else is in the cluster: users of the GPUs, and whatever moves, owns or guards nodes and pods."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from conformance.operations.fields import label
from conformance.operations.taints import keeps_pods_away
from conformance.preflight.finding import Seen
from conformance.preflight.ownership import field_owner
from conformance.preflight.snapshot import SeenPod, Snapshot
from conformance.spec.names import MIG_CONFIG

_SCALING: Final = (
    *("ToBeDeletedByClusterAutoscaler", "DeletionCandidateOfClusterAutoscaler"),
    *("karpenter.sh/disrupted", "karpenter.sh/disruption"),
)
"""Taints of a node that an autoscaler is about to remove. Source: kubernetes/autoscaler FAQ; Karpenter v1."""
_KEEP: Final = "cluster-autoscaler.kubernetes.io/scale-down-disabled"
_KARPENTER: Final = "karpenter.sh/nodepool"
_DO_NOT_DISRUPT: Final = "karpenter.sh/do-not-disrupt"


def users(snapshot: Snapshot) -> Iterator[Seen]:
    """Pods of others hold GPUs, so that a run leaves the node as it is."""
    names = {node.name: node for node in snapshot.mig_nodes}
    for pod in _users(snapshot):
        view = pod.view
        if view.node in names:
            held = ", ".join(f"{name}: {count}" for name, count in view.gpus.items())
            yield Seen(str(names[view.node]), f"pod {view} holds {held}", "end it, or choose other nodes with --node")


def budgets(snapshot: Snapshot) -> Iterator[Seen]:
    """A PodDisruptionBudget keeps a pod with GPUs from being evicted, so that draining its node waits for ever."""
    names = {node.name for node in snapshot.mig_nodes}
    for budget in snapshot.budgets:
        held = [
            str(pod.view)
            for pod in _users(snapshot)
            if pod.view.node in names and pod.view.namespace == budget.namespace
            if selects(budget.selector, pod.view.labels)
        ]
        if held and budget.allowed < 1:
            fix = "add replicas elsewhere, or delete these pods instead of draining their nodes"
            title = f"PodDisruptionBudget {budget.namespace}/{budget.name}"
            yield Seen(title, f"it allows no eviction of {', '.join(held)}, which hold GPUs", fix)


def taints(snapshot: Snapshot) -> Iterator[Seen]:
    """A taint keeps the pods of the suite away from a node."""
    for node in snapshot.mig_nodes:
        for taint in node.view.taints:
            if keeps_pods_away(taint) and not taint.startswith(_SCALING):
                key = taint.partition("=")[0]
                fix = f"see who set it; `kubectl taint node {node.name} {key}-` removes it"
                yield Seen(str(node), f"taint {taint} keeps the pods of the suite away", fix)


def cordoned(snapshot: Snapshot) -> Iterator[Seen]:
    """A node is cordoned: the suite leaves it so, and its own pods run there all the same."""
    for node in snapshot.mig_nodes:
        if node.view.unschedulable:
            fix = f"nothing to do if you cordoned it on purpose; otherwise run `kubectl uncordon {node.name}`"
            if snapshot.journals:
                fix = f"run `mig-conformance restore show`: an earlier run may have cordoned it; if not, {fix}"
            yield Seen(str(node), "the node is cordoned", fix)


def autoscaler(snapshot: Snapshot) -> Iterator[Seen]:
    """An autoscaler may remove a node during a run, since the node has no user's pods then."""
    for node in snapshot.mig_nodes:
        doomed = [taint.partition("=")[0] for taint in node.view.taints if taint.startswith(_SCALING)]
        if doomed:
            yield Seen(
                str(node), f"an autoscaler is about to remove it ({doomed[0]})", "choose other nodes with --node"
            )
        elif _KARPENTER in node.labels and node.annotations.get(_DO_NOT_DISRUPT) != "true":
            fix = f"annotate the node with {_DO_NOT_DISRUPT}=true for the run"
            yield Seen(str(node), "Karpenter may remove it during a run", fix)
        elif snapshot.autoscaled and node.annotations.get(_KEEP) != "true":
            fix = f"annotate the node with {_KEEP}=true for the run"
            yield Seen(str(node), "the Cluster Autoscaler may remove it during a run", fix)


def labels_owned(snapshot: Snapshot) -> Iterator[Seen]:
    """Something writes `mig.config` again after each change, so that a run cannot set it."""
    for node in snapshot.mig_nodes:
        if owner := field_owner(node.raw, label(node.name, MIG_CONFIG)):
            fix = f"take {MIG_CONFIG} out of what {owner} applies, for the run"
            yield Seen(str(node), f"{owner} writes label {MIG_CONFIG}", fix)


def earlier_runs(snapshot: Snapshot) -> Iterator[Seen]:
    """A run of the suite was killed and has not been put back."""
    for run in snapshot.journals:
        yield Seen(f"run {run}", "it has a journal: it was killed, or is active", "see `mig-conformance restore show`")


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Return whether a label selector of policy/v1 selects these labels; an empty one selects all.

    Source: Kubernetes v1.36, LabelSelector; PodDisruptionBudget of policy/v1.
    """
    wanted = selector.get("matchLabels") or {}
    return all(labels.get(key) == value for key, value in wanted.items()) and all(
        _holds(rule, labels) for rule in selector.get("matchExpressions") or ()
    )


def _holds(rule: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = rule["key"], rule.get("values") or ()
    return {
        "In": labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }[rule["operator"]]


def _users(snapshot: Snapshot) -> Iterator[SeenPod]:
    for pod in snapshot.pods:
        view = pod.view
        if view.gpus and not view.ended and view.run is None and view.namespace != snapshot.namespace:
            yield pod
