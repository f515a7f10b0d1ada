"""D-05, D-26: what a node must show while the operator or Node Feature Discovery is restarted.

Sources: NVIDIA/gpu-operator v26.7.0, controllers/state_manager.go and object_controls.go: a deploy label with a value
is kept, and a DaemonSet is updated only if its hash differs; node-feature-discovery v0.19.0, pkg/nfd-master: labels
follow NodeFeature objects, which outlive their worker; gpu-operator issues 2288, 782, 1469 and 580.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from conformance.expect.compare import compare_mappings
from conformance.expect.finding import CheckContext, ConformanceError, Finding
from conformance.expect.trial import RUNS_ON, Trial
from conformance.spec.names import GFD_TIMESTAMP, PREFIX

_BACK: Final = "replaced"
_FEATURES: Final = "feature.node.kubernetes.io/"


def check_controllers_back(context: CheckContext, controllers: Mapping[str, str]) -> None:
    """Check that each pod that was deleted is gone and has a successor that is Ready.

    Args:
        context: Node and state that the check is about.
        controllers: What became of the pods, by controller: `replaced`, or what they are now.

    Raises:
        ConformanceError: One has none; the message names every such controller.
    """
    if finding := compare_mappings(dict.fromkeys(controllers, _BACK), controllers, only_differences=True):
        likely = "no node can take the new pod, or its image cannot be pulled: see the events of the pod"
        raise ConformanceError(context, "controllers", finding, (likely,))


def check_operands_undisturbed(context: CheckContext, trial: Trial, restarted: str) -> None:
    """Check that no operand's pod was deleted, replaced or restarted with a controller.

    Args:
        context: Node and state that the check is about.
        trial: What happened.
        restarted: The controller, for the message.

    Raises:
        ConformanceError: One was.
    """
    if finding := compare_mappings(dict.fromkeys(trial.operands, RUNS_ON), trial.operands, only_differences=True):
        likely = f"the restart of {restarted} changed a DaemonSet, or the labels that its node selector names"
        raise ConformanceError(context, "operand pods", finding, (likely,))


def check_node_undisturbed(context: CheckContext, trial: Trial, node_changes: Sequence[str], restarted: str) -> None:
    """Check that no label, taint or cordon of the node changed with the restart of a controller.

    The time at which GPU Feature Discovery wrote its labels may change.

    Args:
        context: Node and state that the check is about.
        trial: What happened.
        node_changes: Changes of taints, cordon and readiness of the node.
        restarted: The controller, for the message.

    Raises:
        ConformanceError: Something changed; the message lists every change.
    """
    written = (
        {f"{name}={value}" for name, value in change.set.items() if name != GFD_TIMESTAMP}
        | {f"{name} removed" for name in change.removed}
        for change in trial.label_changes
    )
    if found := (*(text for texts in written for text in sorted(texts)), *node_changes):
        likely = f"{restarted} changed the node when it started, although nobody asked for anything"
        raise ConformanceError(context, "node", Finding(("no change",), found), (likely,))


def check_labels_back(context: CheckContext, trial: Trial) -> None:
    """Check that the labels of the GPUs and of the node's features are those of before; they may have been away.

    Raises:
        ConformanceError: A label of `nvidia.com/` or `feature.node.kubernetes.io/` differs.
    """
    before, after = _described(trial.before.labels), _described(trial.after.labels)
    if finding := compare_mappings(before, after, only_differences=True):
        likely = "Node Feature Discovery lost NodeFeature objects, or took labels off that it did not set again"
        raise ConformanceError(context, "labels", finding, (likely,))


def _described(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name.startswith((PREFIX, _FEATURES))} | {GFD_TIMESTAMP: ""}
