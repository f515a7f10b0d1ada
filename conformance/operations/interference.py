"""What others did to a node: changes of the timeline that neither this run nor the product made."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from conformance.cluster.changes import (
    Change,
    Gap,
    LabelChange,
    NodeChange,
    Outage,
    PodChange,
    PodEvent,
    PolicyChange,
    SpecChange,
)
from conformance.cluster.transport import FIELD_MANAGER
from conformance.operations.fields import READERS_OF_CONFIGURATION
from conformance.operations.taints import kept_off_by, taints_in
from conformance.spec.names import DEPLOY_PREFIX, MIG_CONFIG, MIG_CONFIG_STATE, PAUSED, State

Made = Callable[[str, str], bool]
"""Whether this client made a change, by the resourceVersion and the field manager of the change."""

PRODUCT_WRITERS: Final = frozenset(
    {
        "gpu-feature-discovery",
        "gpu-operator",
        "k8s-driver-manager",
        "kube-controller-manager",
        "kubelet",
        "mig-manager",
        "mig-parted",
        "nfd-master",
        "nfd-worker",
        "nvidia-mig-manager",
        "nvidia-validator",
    }
)
"""Field managers of the product and of Kubernetes: a client that names none is called like its program."""
_KNOWN_AS: Final = {
    "argocd": "Argo CD",
    FIELD_MANAGER: "another run of this suite",
    "kustomize-controller": "Flux",
    "nfd": "NFD",
}
NEEDED_OPERANDS: Final = tuple(
    f"{DEPLOY_PREFIX}{name}"
    for name in (
        "operands",
        "driver",
        "container-toolkit",
        "operator-validator",
        "device-plugin",
        "gpu-feature-discovery",
        "mig-manager",
    )
)
"""Deploy labels of what changes a node, describes it, or is waited for there (gpu-operator v26.7.0)."""
BY_ANYBODY: Final = " (the API server does not say by whom)"
"""Who removed something, for messages: what is gone has no field manager."""
_POLICY_FIELDS: Final = ("strategy", "config_name")


def foreign_policy(change: PolicyChange, made: Made) -> str:
    """Describe a change by others of what concerns every node; empty if it is none."""
    if change.field == "present":
        return change.describe()
    if change.field not in _POLICY_FIELDS or made(change.version, change.writer):
        return ""
    return f"{change.describe()}{by(change.writer)}"


def foreign_configuration(change: LabelChange, made: Made, default: str) -> str:
    """Describe a change of `mig.config` by others; empty if it is none.

    Neither the operator nor mig-manager may change a value that is there. If one does, that is a finding for the cases.

    Args:
        change: The change.
        made: Whether this run made it.
        default: What the operator sets on a node without the label (gpu-operator v26.7.0, node labelling controller).
    """
    before, after = change.before.get(MIG_CONFIG), change.after.get(MIG_CONFIG)
    if before == after or (not before and after == default):
        return ""
    if change.writer in READERS_OF_CONFIGURATION or made(change.version, change.writer):
        return ""
    return f"{MIG_CONFIG} of node {change.node}: {before} -> {after}{by(change.writer)}"


def foreign_taint(change: NodeChange, made: Made) -> str:
    """Describe a taint by others that keeps pods of the suite and of the operator away; empty if it is none."""
    keeping = kept_off_by(taints_in(change.before), taints_in(change.after)) if change.field == "taints" else ()
    if not keeping or change.writer in {"", *PRODUCT_WRITERS} or made(change.version, change.writer):
        return ""
    return f"{', '.join(keeping)}{by(change.writer)}"


def foreign_labels(change: LabelChange, made: Made) -> str:
    """Describe labels of the product that others wrote on a node; empty if there are none.

    A label that is gone has no manager. If nothing but the state label is gone, that may have been anybody: the product
    has no reason to remove it.
    """
    text = f"labels of node {change.node}: {change.describe()}"
    if _by_others(change, made):
        return f"{text}{by(change.writer)}"
    alone = change.removed == (MIG_CONFIG_STATE,) and not change.set
    return f"{text}{BY_ANYBODY}" if alone and not made(change.version, change.writer) else ""


def foreign_spec(change: SpecChange, made: Made) -> str:
    """Describe a new spec of the ClusterPolicy or of an operand that others wrote; empty if it is none."""
    return f"{change.describe()}{by(change.writer)}" if _by_others(change, made) else ""


def switches_off(change: LabelChange) -> bool:
    """Return whether a change takes operands off a node that a run needs there, and does not pause them."""
    return any(change.set.get(key, "true") not in ("true", PAUSED) for key in NEEDED_OPERANDS)


def interference(changes: Iterable[Change], node: str, made: Made, operator_namespace: str) -> list[str]:
    """Describe everything that may have made a case fail on a node, although the product did nothing wrong.

    Args:
        changes: Part of the timeline of the whole cluster.
        node: Name of the node.
        made: Whether this run made a change.
        operator_namespace: Namespace whose pods belong to the product.
    """
    found: dict[str, None] = {}
    rebooting = False
    for change in changes:
        if isinstance(change, Gap | Outage):
            found[change.describe()] = None
        elif isinstance(change, SpecChange):
            found[foreign_spec(change, made)] = None
        elif change.node != node:
            continue
        elif isinstance(change, LabelChange):
            rebooting = change.after.get(MIG_CONFIG_STATE) == State.REBOOTING
            found[foreign_labels(change, made)] = None
        elif isinstance(change, NodeChange):
            found["" if rebooting and change.field == "ready" else _node(change, made)] = None
        elif isinstance(change, PodChange):
            found[_pod(change, operator_namespace)] = None
    return [text for text in found if text]


def by(writer: str) -> str:
    """Return who wrote something, for messages: ` (by argocd-controller, Argo CD)`; empty if nobody knows."""
    known = next((name for start, name in _KNOWN_AS.items() if writer.startswith(start)), "")
    return f" (by {', '.join(filter(None, (writer, known)))})" if writer else ""


def _by_others(change: LabelChange | SpecChange, made: Made) -> bool:
    """Whether the server names a writer that is neither the product nor this client."""
    return bool(change.writer) and change.writer not in PRODUCT_WRITERS and not made(change.version, change.writer)


def _node(change: NodeChange, made: Made) -> str:
    if change.field == "ready" and change.after == "False":
        return f"node {change.node} was not Ready"
    if change.field not in ("unschedulable", "taints") or made(change.version, change.writer):
        return ""
    if not change.writer and _only_removes(change):
        # A field that is gone has no manager: `kubectl uncordon` leaves no name.
        return f"node {change.node} {change.describe()}{BY_ANYBODY}"
    if change.writer not in {"", *PRODUCT_WRITERS}:
        return f"node {change.node} {change.describe()}{by(change.writer)}"
    return ""


def _only_removes(change: NodeChange) -> bool:
    if change.field == "unschedulable":
        return change.after == "False"
    return taints_in(change.after) < taints_in(change.before)


def _pod(change: PodChange, operator_namespace: str) -> str:
    users = change.gpus and change.run is None and change.namespace != operator_namespace
    if users and change.event is PodEvent.APPEARED:
        held = ", ".join(f"{name}: {count}" for name, count in change.gpus.items())
        return f"pod {change.subject} of somebody else came to node {change.node} for {held}"
    return ""
