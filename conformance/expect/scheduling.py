"""D-21: pods that ask for what the strategy does not advertise.

Source: kube-scheduler v1.36, pkg/scheduler/framework/plugins/noderesources/fit.go.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from conformance.expect.finding import CheckContext, ConformanceError, Finding


@dataclass(frozen=True)
class StartedPod:
    """A pod as it was after the time that it was given to start.

    Attributes:
        name: Name of the pod.
        phase: Its phase.
        node: The node it is bound to; None where it is bound to none.
        message: Message of its condition PodScheduled, or why kubelet does not run it; empty where there is none.
    """

    name: str
    phase: str
    node: str | None
    message: str


def check_stays_pending(context: CheckContext, pod: StartedPod, insufficient: str) -> None:
    """Check that the pod is Pending and unbound and that the scheduler names the resource.

    The pod is tied to one node, so that one node lacks the resource; others are out of the question before that.

    Args:
        context: Where.
        pod: The pod.
        insufficient: Name of the resource that is missing.

    Raises:
        ConformanceError: It was bound or runs, or the message does not name the resource as insufficient on one node.
    """
    expected = ("Pending on no node", f"scheduler: 0 nodes available, 1 Insufficient {insufficient}")
    named = re.match(rf"0/\d+ nodes.*\b1 Insufficient {re.escape(insufficient)}(?![\w./-]*\w)", pod.message)
    if pod.phase != "Pending" or pod.node is not None or not named:
        raise ConformanceError(context, f"pod {pod.name}", Finding(expected, _as_found(pod)))


def check_run(context: CheckContext, pods: Sequence[StartedPod]) -> None:
    """Check that pods that ask for what the node advertises run.

    Raises:
        ConformanceError: One does not.
    """
    for pod in pods:
        if pod.phase != "Running":
            raise ConformanceError(context, f"pod {pod.name}", Finding(("Running",), _as_found(pod)))


def _as_found(pod: StartedPod) -> tuple[str, str]:
    speaker = "scheduler" if pod.node is None else "kubelet"
    return f"{pod.phase} on {pod.node or 'no node'}", f"{speaker}: {pod.message or 'no message'}"
