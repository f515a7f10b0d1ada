"""Who deleted a pod of a node: the product, or somebody else. The API server does not tell.

Evidence comes first. A deploy label that does not let the pod run, a new revision of its DaemonSet and an Event of the
DaemonSet controller mean that the controller deleted it, because of what the product wrote. A disruption means that
somebody drained the node or needed its room. mig-manager deletes pods while it changes the GPUs, and not its own.

For what is left: a defect of the product repeats in every comparable change of the node, and a person's deletion does
not. Changes are comparable if they took the same course and had a pod of the same role.

Sources: NVIDIA/mig-parted v0.15.0, pkg/mig/reconfigure/reconfigure.go; kubernetes v1.36, pkg/controller/daemon;
Kubernetes documentation, "Pod disruption conditions".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from conformance.spec.names import MIG_MANAGER_APP, State

ENOUGH: Final = 3
"""Comparable changes after which a deletion in all of them is the product's: nobody hits the same step so often."""
STOPPED: Final = "stopped"
_BY_OTHERS: Final = ("EvictionByEvictionAPI", "PreemptionByScheduler")
"""Reasons of the condition DisruptionTarget that no program of the product causes."""
_UNTOLD: Final = "the API server does not tell who deletes a pod"


class Step(StrEnum):
    """Where a change of geometry stood; each value completes "was deleted"."""

    BEGINNING = "before the operands were stopped"
    STOPPED = "while the operands were stopped"
    ENDING = "after the operands came back"
    REST = "when no change was in progress"


@dataclass(frozen=True)
class Deletion:
    """A pod that was deleted by others than the suite, while its containers ran.

    Attributes:
        pod: Namespace and name.
        role: What the pod is for: the label `app` of an operand, or another name for pods of users.
        time: When the deletion was seen, in seconds of the timeline.
        step: Where the change of geometry stood.
        label: Value of the deploy label of the operand at that time; empty if the node lacked it, `true` if there is no
            such label for this role.
        renewed: Steps at which the product deletes pods of this role.
        rolled: Whether the next pod of this role was created from another revision of the DaemonSet.
        controller: Whether an Event says that the DaemonSet controller deleted the pod.
        disruption: Reason of the condition DisruptionTarget of the pod; empty for none.
    """

    pod: str
    role: str
    time: float
    step: Step
    label: str = "true"
    renewed: tuple[Step, ...] = ()
    rolled: bool = False
    controller: bool = False
    disruption: str = ""

    @property
    def by_product(self) -> bool:
        """Whether evidence says that the product deleted the pod, rightly or not."""
        expected = self.label != "true" or self.step in self.renewed
        return not self.by_others and (expected or self.rolled or self.controller)

    @property
    def by_others(self) -> bool:
        """Whether evidence says that the product did not delete the pod."""
        return self.disruption in _BY_OTHERS

    @property
    def is_not_of_manager(self) -> bool:
        """Whether mig-manager cannot have deleted the pod: nothing was in progress, or the pod is its own."""
        return self.step is Step.REST or self.role == MIG_MANAGER_APP


@dataclass(frozen=True)
class GeometryChange:
    """What became of one request for a configuration, until the next one. The time before the first is one, too.

    Attributes:
        course: States that mig-manager wrote, in order, after `STOPPED` if it stopped operands.
        roles: Roles of the pods that were there at any time in it.
        deletions: The deletions, in order.
    """

    course: tuple[str, ...]
    roles: frozenset[str]
    deletions: tuple[Deletion, ...] = ()


@dataclass(frozen=True)
class History:
    """The changes of one node, in order.

    Attributes:
        node: Name of the node.
        changes: The changes.
    """

    node: str
    changes: tuple[GeometryChange, ...] = field(default=())


def doubtful(history: History, since: float) -> tuple[Deletion, ...]:
    """Return the deletions since a time that the product is not known to have made."""
    return tuple(deletion for _, deletion in _doubtful(history, since))


def by_others(history: History, since: float) -> tuple[str, ...]:
    """Describe the deletions since a time that are not the product's; empty if all are.

    Args:
        history: The node's changes, also earlier and later ones.
        since: The time, in seconds of the timeline.
    """
    found = _doubtful(history, since)
    return tuple(text for change, deletion in found if (text := _describe(history, change, deletion)))


def undecided(history: History, since: float) -> bool:
    """Return whether one more change of the node to another geometry may tell who deleted a pod since a time."""
    return any(
        change.course[:1] == (STOPPED,)
        and change.course[-1:] == (State.SUCCESS,)
        and not (deletion.by_others or deletion.is_not_of_manager)
        and len(_hit(alike := _comparable(history, change, deletion), deletion)) == len(alike) < ENOUGH
        for change, deletion in _doubtful(history, since)
    )


def _doubtful(history: History, since: float) -> Iterator[tuple[GeometryChange, Deletion]]:
    for change in history.changes:
        yield from ((change, it) for it in change.deletions if it.time >= since and not it.by_product)


def _describe(history: History, change: GeometryChange, deletion: Deletion) -> str:
    what = f"pod {deletion.pod} of node {history.node} was deleted at {deletion.time:.1f} s"
    if deletion.by_others:
        return f"{what}: {deletion.disruption}"
    if deletion.is_not_of_manager:
        why = deletion.step if deletion.step is Step.REST else "and mig-manager does not delete its own pod"
        return f"{what}, {why}; {_UNTOLD}"
    hit = _hit(alike := _comparable(history, change, deletion), deletion)
    if len(hit) == len(alike) >= ENOUGH:
        return ""
    return (
        f"{what}, {deletion.step}, and a pod like it in {len(hit)} of {len(alike)} comparable changes of the node; "
        f"{_UNTOLD}, and a defect of the product would do it in every change"
    )


def _comparable(history: History, like: GeometryChange, deletion: Deletion) -> list[GeometryChange]:
    return [change for change in history.changes if change.course == like.course and deletion.role in change.roles]


def _hit(changes: Sequence[GeometryChange], like: Deletion) -> list[GeometryChange]:
    """Return the changes in which a pod of this role was deleted at this step."""
    return [change for change in changes if any(_repeats(it, like) for it in change.deletions)]


def _repeats(deletion: Deletion, like: Deletion) -> bool:
    return (deletion.role, deletion.step) == (like.role, like.step) and not deletion.by_product
