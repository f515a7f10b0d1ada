"""D-02, D-05 to D-07, D-26: what may happen to a node and its neighbours while it is changed, and at rest.

At rest means from the moment when the node shows everything that it must, until it is asked for another configuration
or the strategy changes. Nothing may happen then.

Sources: NVIDIA/mig-parted v0.15.0, pkg/mig/reconfigure; kubernetes v1.36, pkg/kubelet/cm/devicemanager;
k8s-device-plugin v0.20.0, internal/lm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, Protocol

from conformance.expect.deletions import ENOUGH
from conformance.expect.finding import CheckContext, ConformanceError, Finding
from conformance.expect.label_changes import LabelChange, touched
from conformance.expect.labels import is_gfd_label

_FIELDS: Final = ("allocatable", "capacity")


class Described(Protocol):
    """A change that the timeline recorded; `conformance.cluster.changes` has the implementations."""

    def describe(self) -> str:
        """Describe the change in one line."""


class ResourceCount(Protocol):
    """A changed count of one resource; `conformance.cluster.changes` has the implementation."""

    @property
    def resource(self) -> str:
        """Name of the resource."""

    @property
    def field(self) -> str:
        """`allocatable` or `capacity`."""

    @property
    def before(self) -> int | None:
        """Count before the change; None if the node did not list the resource."""

    @property
    def after(self) -> int | None:
        """Count after the change; None if the node no longer lists the resource."""


class ResourceChange(ResourceCount, Described, Protocol):
    """A changed count of one resource that can describe itself."""


class PodStep(Described, Protocol):
    """One step in the life of a pod."""

    @property
    def app(self) -> str:
        """Value of the label `app`."""

    @property
    def event(self) -> str:
        """The step: `appeared`, `ready`, `not ready`, `restarted`, `ended`, `terminating` or `gone`."""


Counts = Mapping[str, int]


def check_resource_changes(
    context: CheckContext, changes: Sequence[ResourceChange], stages: Sequence[Counts | None]
) -> None:
    """Check that each count goes from stage to stage and takes no other value, none twice.

    Stages may be skipped: kubelet reports only what lasts. Capacity may fall to 0 at any time, when kubelet's grace for
    a resource that is gone is over. Whether the count that a node ends with is right is up to other checks.

    Args:
        context: Node and state that the check is about.
        changes: Changes of allocatable and capacity.
        stages: Resources at each stage in order; None where the device plugin is away and every count is 0.

    Raises:
        ConformanceError: A count took another value, or went back.
    """
    wrong, expected = [], []
    for field in _FIELDS:
        for resource in dict.fromkeys(change.resource for change in changes if change.field == field):
            its = [change for change in changes if (change.field, change.resource) == (field, resource)]
            path = [its[0].before or 0, *(change.after or 0 for change in its)]
            allowed = [path[0], *(0 if stage is None else stage.get(resource, 0) for stage in stages)]
            counted = [count for count in path[1:] if count or field == "allocatable"]
            if not _is_part(counted, [*allowed[1:-1], path[-1]] if stages else []):
                wrong.append(f"{field} {resource}: {_shown(path)}")
                expected.append(f"{field} {resource}: {_shown(allowed)}")
    if wrong:
        raise ConformanceError(context, "counts over time", Finding(tuple(expected), tuple(wrong)))


def check_node_kept(context: CheckContext, changes: Sequence[Described], neighbours: Sequence[str]) -> None:
    """Check that a change of geometry does not cordon, uncordon, taint or restart the node, and touches no other node.

    Args:
        context: Node and state that the check is about.
        changes: Changes of the node's taints, schedulability, readiness and boot id, without those of the suite.
        neighbours: What happened to the state label, deploy labels and taints of nodes that nobody asked for anything.

    Raises:
        ConformanceError: There is such a change.
    """
    if changes:
        found = tuple(change.describe() for change in changes)
        raise ConformanceError(
            context, "node", Finding(("neither cordon, taints, readiness nor boot id change",), found)
        )
    if neighbours:
        raise ConformanceError(context, "other nodes", Finding(("nothing happens there",), tuple(neighbours)))


def check_nothing_beside(context: CheckContext, effects: Sequence[Collection[str]]) -> None:
    """Check that no change of the node does something to other nodes, or to pods on the node that are no operands.

    Somebody else may do such a thing once, but not in every change of the node.

    Args:
        context: Node and state that the check is about.
        effects: What happened in each change to other nodes, and to pods on the node that are no operands.

    Raises:
        ConformanceError: Something happened in each of them, and there were `deletions.ENOUGH`.
    """
    always = frozenset(effects[0]).intersection(*effects[1:]) if len(effects) >= ENOUGH else frozenset[str]()
    if always:
        expected = (f"nothing else happens in each of the {len(effects)} changes of the node",)
        likely = ("mig-manager selects pods by their label and by the name of its node, and writes to its node alone",)
        raise ConformanceError(context, "side effects", Finding(expected, tuple(sorted(always))), likely)


def check_labels_rest(context: CheckContext, changes: Sequence[LabelChange]) -> None:
    """Check that at rest nobody changes the state label, a deploy label, or a label of GPU Feature Discovery.

    Args:
        context: Node and state that the check is about.
        changes: Label changes of others than the suite.

    Raises:
        ConformanceError: A label was set or removed.
    """
    found = tuple(text for change in changes for text in _labels(change))
    _nothing(context, "labels at rest", found)


def check_resources_rest(context: CheckContext, changes: Sequence[ResourceChange], expected: Counts) -> None:
    """Check that at rest no count changes, except that capacity may forget a resource that is gone.

    Raises:
        ConformanceError: Another count changed.
    """
    found = tuple(
        change.describe()
        for change in changes
        if change.field == "allocatable" or change.after or expected.get(change.resource)
    )
    _nothing(context, "resources at rest", found)


def check_operands_rest(context: CheckContext, steps: Sequence[PodStep], may_wait: Collection[str] = ()) -> None:
    """Check that at rest no pod of an operand comes, goes, is restarted or stops being Ready.

    Args:
        context: Node and state that the check is about.
        steps: Steps of the pods of operands on the node.
        may_wait: Apps whose pods may still come to be Ready, or crash-loop.

    Raises:
        ConformanceError: A pod of another app did.
    """
    found = tuple(
        step.describe() for step in steps if step.event != "ready" and (step.app not in may_wait or _is_loss(step))
    )
    _nothing(context, "operand pods at rest", found)


def _nothing(context: CheckContext, subject: str, found: tuple[str, ...]) -> None:
    if found:
        once = tuple(text if times == 1 else f"{text} ({times} times)" for text, times in Counter(found).items())
        raise ConformanceError(context, subject, Finding(("nothing changes until the node is asked again",), once))


def _labels(change: LabelChange) -> Iterator[str]:
    ours = touched(change)
    gone: dict[str, str | None] = dict.fromkeys(change.removed)
    for name, value in sorted((gone | dict(change.set)).items()):
        if name in ours or is_gfd_label(name):
            yield f"{name} removed" if value is None else f"{name}={value}"


def _is_loss(step: PodStep) -> bool:
    return step.event in ("terminating", "gone")


def _is_part(path: Sequence[int], stages: Sequence[int]) -> bool:
    """Return whether the path is a part of the stages, in their order."""
    rest = iter(stages)
    return all(any(stage == count for stage in rest) for count in path)


def _shown(counts: Sequence[int]) -> str:
    return " -> ".join(str(count) for at, count in enumerate(counts) if at == 0 or counts[at - 1] != count)
