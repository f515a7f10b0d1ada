"""The message for an unschedulable pod, as kube-scheduler 1.36 writes it.

Source: kubernetes v1.36, pkg/scheduler/framework/types.go (FitError) and plugins/defaultpreemption; the note on claims
comes from plugins/dynamicresources, which is on by default since v1.35.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

NO_NODES: Final = "no nodes available to schedule pods"
CORDONED: Final = "node(s) were unschedulable"
UNTOLERATED: Final = "node(s) had untolerated taint(s)"
NO_AFFINITY: Final = "node(s) didn't match Pod's node affinity/selector"
PINNED_ELSEWHERE: Final = "node(s) didn't satisfy plugin(s) [NodeAffinity]"
TOO_MANY_PODS: Final = "Too many pods"


@dataclass(frozen=True)
class Refusal:
    """Why one node does not fit a pod.

    Attributes:
        reasons: One reason, or one for every insufficient resource.
        helpless: Whether preemption of other pods would not help.
    """

    reasons: tuple[str, ...]
    helpless: bool = True


def unschedulable_message(refusals: Mapping[Refusal, int], *, give_reasons: bool = True) -> str:
    """Return the message of condition and event; `refusals` counts every node of the cluster once."""
    if not refusals:
        return NO_NODES
    none = f"0/{sum(refusals.values())} nodes are available"
    if not give_reasons:
        return f"{none}:"
    reasons = _counted((reason, count) for refusal, count in refusals.items() for reason in refusal.reasons)
    preemption = _counted(
        (
            "Preemption is not helpful for scheduling"
            if refusal.helpless
            else "No preemption victims found for incoming pod",
            count,
        )
        for refusal, count in refusals.items()
    )
    return f"{none}: {reasons}. no new claims to deallocate, preemption: {none}: {preemption}."


def _counted(reasons: Iterable[tuple[str, int]]) -> str:
    total: Counter[str] = Counter()
    for reason, count in reasons:
        total[reason] += count
    return ", ".join(sorted(f"{count} {reason}" for reason, count in total.items()))
