"""D-20, D-21: pods that request what the node advertises, and pods that request what it does not.

Source: kube-scheduler v1.36, pkg/scheduler/framework/plugins/noderesources/fit.go.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from conformance.expect.finding import CheckContext, ConformanceError, Finding


@dataclass(frozen=True)
class StartedPod:
    """A pod after the time that it had to start.

    Attributes:
        name: Name of the pod.
        phase: `status.phase`.
        node: Node that the pod is bound to; None if it is not bound.
        message: Message of the condition PodScheduled, or kubelet's reason for not running the pod; empty for none.
    """

    name: str
    phase: str
    node: str | None
    message: str


def check_stays_pending(context: CheckContext, pod: StartedPod, insufficient: str) -> None:
    """Check that the pod is Pending and not bound, and that the scheduler reports the resource as insufficient.

    The pod selects one node, so the scheduler must report the resource for exactly one node; it excludes all others for
    other reasons.

    Args:
        context: Node and state that the check is about.
        pod: The pod.
        insufficient: Name of the resource that the node must lack.

    Raises:
        ConformanceError: The pod is bound or not Pending, or the message does not report the resource for one node.
    """
    expected = ("Pending on no node", f"scheduler: 0 nodes available, 1 Insufficient {insufficient}")
    named = re.match(rf"0/\d+ nodes.*\b1 Insufficient {re.escape(insufficient)}(?![\w./-]*\w)", pod.message)
    if pod.phase != "Pending" or pod.node is not None or not named:
        raise ConformanceError(context, f"pod {pod.name}", Finding(expected, _as_found(pod)))


def check_run(context: CheckContext, pods: Sequence[StartedPod]) -> None:
    """Check that all pods are Running.

    Raises:
        ConformanceError: A pod is not.
    """
    for pod in pods:
        if pod.phase != "Running":
            raise ConformanceError(context, f"pod {pod.name}", Finding(("Running",), _as_found(pod)))


def _as_found(pod: StartedPod) -> tuple[str, str]:
    source = "scheduler" if pod.node is None else "kubelet"
    return f"{pod.phase} on {pod.node or 'no node'}", f"{source}: {pod.message or 'no message'}"
