"""Makes of the timeline what `conformance.expect.deletions` judges: the changes of a node, and who went in which."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from conformance.cluster.changes import Change, LabelChange, NodeChange, PodChange, PodEvent
from conformance.cluster.pod_view import PodView
from conformance.expect.deletions import STOPPED, Deletion, GeometryChange, History, Step
from conformance.expect.operands import RENEWED_APPS
from conformance.spec.names import MIG_CONFIG, MIG_CONFIG_STATE, PAUSED, VALIDATOR_APP, WORKLOAD_VALIDATOR_APPS, State

_USER: Final = "pod of a user"
"""Role of the suite's own pods."""
_RENEWED: Final[Mapping[str, tuple[Step, ...]]] = {
    VALIDATOR_APP: (Step.STOPPED,),
    **dict.fromkeys(WORKLOAD_VALIDATOR_APPS, tuple(Step)),
}
"""Steps at which the product deletes pods, by their role: mig-manager those of the validator and its workloads, and a
validator that starts, at any time, the workloads of the one before. Source: gpu-operator v26.7.0, cmd/nvidia-validator.
"""
_ANSWERS: Final = (State.SUCCESS, State.FAILED)


@dataclass(frozen=True)
class Surroundings:
    """What else tells who deleted a pod.

    Attributes:
        run: Id of this run, whose pods stand for those of users.
        operator_namespace: Namespace whose pods are operands.
        own: Whether this run deleted the pod with a UID.
        by_controller: Names of the pods that the DaemonSet controller says it deleted.
        selectors: Deploy label that selects the nodes of an operand, by its app.
    """

    run: str
    operator_namespace: str
    own: Callable[[str], bool]
    by_controller: Collection[str] = ()
    selectors: Mapping[str, str] = field(default_factory=lambda: RENEWED_APPS)

    def role(self, pod: PodChange | PodView) -> str:
        """What a pod is for; empty for pods that concern neither the product nor this run."""
        if pod.run == self.run:
            return _USER
        return pod.app if pod.namespace == self.operator_namespace else ""


def history_of(node: str, changes: Sequence[Change], pods: Iterable[PodView], about: Surroundings) -> History:
    """Return the changes of a node with the pods that were deleted in each.

    Args:
        node: Name of the node.
        changes: Its whole timeline.
        pods: The pods that are on it now.
        about: What else tells who deleted a pod.
    """
    changes = _as_made(changes)
    steps = [change for change in changes if isinstance(change, PodChange)]
    appeared = {step.uid for step in steps if step.event is PodEvent.APPEARED}
    known: list[PodChange | PodView] = [*pods, *steps]
    there = {it.uid: about.role(it) for it in known if it.uid not in appeared}
    reader = _Reader(about, steps, {uid: role for uid, role in there.items() if role})
    reader.rejoins = any(isinstance(change, NodeChange) and change.field == "present" for change in changes)
    for change in changes:
        if isinstance(change, LabelChange):
            reader.see_labels(change)
        elif isinstance(change, PodChange) and about.role(change):
            reader.see_pod(change)
    return History(node, tuple(reader.finish()))


def _as_made(changes: Sequence[Change]) -> list[Change]:
    """Sort by resourceVersion: nodes and pods are seen through different watches, each with its own delay."""
    latest, keys = 0, {}
    for change in changes:
        told = change.version.isdigit() and not (isinstance(change, NodeChange) and change.field == "present")
        latest = int(change.version) if told else latest  # a Node object that is gone has the version of before
        keys[change.sequence] = latest
    return sorted(changes, key=lambda change: (keys[change.sequence], change.sequence))


@dataclass
class _Reader:
    """Goes through the timeline of one node.

    Attributes:
        about: What else tells who deleted a pod.
        steps: All steps of pods.
        there: Roles by UID of the pods that are there.
        rejoins: Whether the Node object came or went at any time: its pods come and go for reasons of controllers.
    """

    about: Surroundings
    steps: Sequence[PodChange]
    there: dict[str, str]
    rejoins: bool = False
    _done: list[GeometryChange] = field(default_factory=list)
    _labels: dict[str, str] = field(default_factory=dict)
    _course: list[str] = field(default_factory=list)
    _roles: set[str] = field(default_factory=set)
    _deletions: list[Deletion] = field(default_factory=list)
    _going: set[str] = field(default_factory=set)
    _in_progress: bool = False
    _stopped: bool = False

    def see_labels(self, change: LabelChange) -> None:
        if change.before.get(MIG_CONFIG) != change.after.get(MIG_CONFIG):
            self._close()
            self._in_progress = bool(change.after.get(MIG_CONFIG))
        self._labels = dict(change.after)
        self._stopped = self._stopped or PAUSED in change.after.values()
        if (state := change.after.get(MIG_CONFIG_STATE)) != change.before.get(MIG_CONFIG_STATE) and state:
            self._course.append(state)
            self._in_progress = state not in _ANSWERS

    def see_pod(self, step: PodChange) -> None:
        role = self.about.role(step)
        if step.event is PodEvent.APPEARED:
            self.there[step.uid] = role
            self._roles.add(role)
        elif step.event is PodEvent.ENDED:
            self._going.add(step.uid)
        elif step.event in (PodEvent.TERMINATING, PodEvent.GONE):
            if step.uid not in self._going and not self.about.own(step.uid):
                self._deletions.append(self._deletion(step, role))
            self._going.add(step.uid)
        if step.event is PodEvent.GONE:
            self.there.pop(step.uid, None)

    def finish(self) -> list[GeometryChange]:
        self._close()
        return self._done

    def _close(self) -> None:
        course = (STOPPED, *self._course) if self._stopped else tuple(self._course)
        roles = frozenset(self._roles | {it.role for it in self._deletions} | set(self.there.values()))
        self._done.append(GeometryChange(course, roles, tuple(map(self._untold_if_again, self._deletions))))
        self._course, self._roles, self._deletions = [], set(self.there.values()), []
        self._stopped = PAUSED in self._labels.values()

    def _untold_if_again(self, deletion: Deletion) -> Deletion:
        """mig-manager deletes the validator once in a change: of two deletions, nobody can tell which is its own."""
        alike = [it for it in self._deletions if (it.role, it.step) == (deletion.role, deletion.step)]
        return replace(deletion, renewed=()) if deletion.role == VALIDATOR_APP and len(alike) > 1 else deletion

    def _deletion(self, step: PodChange, role: str) -> Deletion:
        later = self.steps[self.steps.index(step) :]
        of_role = (it for it in later if it.event is PodEvent.APPEARED and self.about.role(it) == role)
        revisions = {step.revision, *(it.revision for it in itertools.islice(of_role, 1))}
        return Deletion(
            pod=step.subject,
            role=role,
            time=step.time,
            step=self._step(),
            label=self._label_of(role),
            renewed=_RENEWED.get(role, ()),
            rolled=len(revisions) > 1 and "" not in revisions,
            controller=self.rejoins or step.name in self.about.by_controller,
            disruption=step.disruption,
        )

    def _label_of(self, role: str) -> str:
        selector = self.about.selectors.get(role)
        return self._labels.get(selector, "") if selector and self._labels else "true"

    def _step(self) -> Step:
        if PAUSED in self._labels.values():
            return Step.STOPPED
        if not self._in_progress:
            return Step.REST
        return Step.ENDING if self._stopped else Step.BEGINNING


def deleted_by_controllers(messages: Iterable[str]) -> Iterator[str]:
    """Return the names of pods that controllers say they deleted, from the messages of their Events.

    Source: kubernetes v1.36, pkg/controller/controller_utils.go (SuccessfulDelete).
    """
    return (name for text in messages for _, found, name in [text.partition("Deleted pod: ")] if found)
