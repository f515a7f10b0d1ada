"""D-02, D-05: the label changes that mig-manager makes during one reconfiguration, in order, by its version.

Sources: NVIDIA/mig-parted v0.15.0, pkg/mig/reconfigure/reconfigure.go; for versions before v0.13.0
deployments/container/reconfigure-mig.sh; pull request 484 for versions from v0.15.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from conformance.expect.compare import compare_sequences
from conformance.expect.finding import CheckContext, ConformanceError, Finding
from conformance.expect.label_changes import (
    ExpectedChange,
    LabelChange,
    changes_of_mig_manager,
    describe,
    is_deploy_label,
)
from conformance.spec.names import DEPLOY_CLIENT, DEPLOY_PREFIX, MIG_CONFIG_STATE, PAUSED, PAUSED_OPERANDS, State
from conformance.spec.releases import at_least

GO: Final = "v0.13.0"
"""First mig-manager with the reconfiguration written in Go; older versions run a shell script."""
CLIENT_LABEL: Final = "v0.15.0"
"""First mig-manager that also pauses `nvidia.com/gpu.deploy.client`, on nodes that have this label."""
WAITS_FAIL: Final = "v0.15.1"
"""First mig-manager that writes `failed` when a wait for operands times out (pull request 484)."""


class Course(StrEnum):
    """How a reconfiguration goes."""

    CHANGED = "changed"
    """The geometry was changed."""
    ALREADY = "already applied"
    """The GPUs already had the geometry."""
    REFUSED = "refused"
    """Unknown configuration or invalid file."""
    FAILED = "failed"
    """The change was started and failed."""
    STUCK = "stuck"
    """The pod of an operand does not terminate."""
    REBOOT = "reboot"
    """The MIG mode needs a reboot and WITH_REBOOT is set. Covers the changes up to the reboot."""


_FINAL: Final = {
    Course.CHANGED: State.SUCCESS,
    Course.ALREADY: State.SUCCESS,
    Course.REFUSED: State.FAILED,
    Course.FAILED: State.FAILED,
    Course.REBOOT: State.REBOOTING,
}
"""Last value of the state label. STUCK has none: the state stays `pending`."""
_PAUSES: Final = (Course.CHANGED, Course.FAILED, Course.STUCK, Course.REBOOT)


def expected_changes(
    before: Mapping[str, str], course: Course, mig_manager: str, *, resumed_before: bool
) -> tuple[ExpectedChange, ...]:
    """Return the label changes that a watch must see, in order.

    A patch that changes no value causes no watch event and is left out.

    Args:
        before: The node's labels when the reconfiguration begins.
        course: How the reconfiguration goes.
        mig_manager: Image tag of mig-manager.
        resumed_before: Whether the same mig-manager process has already brought a change to `success`. From v0.13.0
            such a process resumes the operands only after a change that succeeds: neither after a failure nor when
            there was nothing to do.

    Raises:
        VersionError: The tag is not a version.
    """
    if course is Course.STUCK:
        course = _course_after_timeout(mig_manager)
    labels, seen = dict(before), []
    for patch in _patches(before, course, mig_manager, resumed_before=resumed_before):
        changed = {key: value for key, value in patch.items() if labels.get(key) != value}
        labels |= changed
        if changed:
            seen.append(ExpectedChange(changed))
    return tuple(seen)


def _course_after_timeout(mig_manager: str) -> Course:
    """Return how a reconfiguration continues when the wait for an operand's pod times out."""
    if not at_least(mig_manager, GO):
        return Course.CHANGED  # The script ignores the timeout.
    return Course.FAILED if at_least(mig_manager, WAITS_FAIL) else Course.STUCK


def _patches(
    before: Mapping[str, str], course: Course, mig_manager: str, *, resumed_before: bool
) -> list[Mapping[str, str]]:
    """Return all patches that mig-manager sends, including those that change no value."""
    patches: list[Mapping[str, str]] = []
    script, changed = not at_least(mig_manager, GO), course is Course.CHANGED
    if course in _PAUSES:
        patches += [{MIG_CONFIG_STATE: State.PENDING}, _deploy(before, mig_manager, PAUSED)]
    if course not in (Course.STUCK, Course.REBOOT) and (changed or script or not resumed_before):
        resumed = _deploy(before, mig_manager, "true")
        # The script resumes nvsm only after a successful change.
        patches.append({key: v for key, v in resumed.items() if changed or not script or key != DEPLOY_PREFIX + "nvsm"})
    if course in _FINAL:
        patches.append({MIG_CONFIG_STATE: _FINAL[course]})
    return patches


def _deploy(before: Mapping[str, str], mig_manager: str, value: str) -> dict[str, str]:
    """Return the patch that sets the deploy labels to `value`; labels that are `false` keep that value."""
    labels = [DEPLOY_PREFIX + operand for operand in PAUSED_OPERANDS]
    if at_least(mig_manager, CLIENT_LABEL) and before.get(DEPLOY_CLIENT):
        labels.append(DEPLOY_CLIENT)
    return {label: "false" if before.get(label) == "false" else value for label in labels}


def check_states(context: CheckContext, changes: Sequence[LabelChange], expected: Sequence[ExpectedChange]) -> None:
    """Check the values of the state label, and that deploy labels change only between the first and the last of them.

    mig-manager removes no state and writes it in patches of its own. Whether the deploy labels get the right values is
    up to `check_deploy_labels`.

    Raises:
        ConformanceError: A state is missing, unexpected, removed or out of order, or a deploy label changed before the
            first state, together with a state, or after the last one.
    """
    found = changes_of_mig_manager(changes)
    if finding := compare_sequences(_states(expected), _states(found)):
        raise ConformanceError(context, "states", finding)
    positions = [at for at, change in enumerate(found) if MIG_CONFIG_STATE in change.labels]
    if not positions:
        return
    first, last, texts = positions[0], positions[-1], tuple(map(str, found))
    # Not every course begins and ends with the state label: deploy labels come first when there is nothing to do.
    if texts[:first] and MIG_CONFIG_STATE in expected[0].labels:
        shown = Finding((f"{texts[first]} as the first change",), texts, unexpected=texts[:first])
        likely = "mig-manager changed deploy labels before it wrote the first state"
        raise ConformanceError(context, "states", shown, (likely,))
    if texts[last + 1 :] and MIG_CONFIG_STATE in expected[-1].labels:
        shown = Finding((f"{texts[last]} as the last change",), texts, unexpected=texts[last + 1 :])
        likely = "mig-manager still changed deploy labels after it wrote the last state"
        raise ConformanceError(context, "states", shown, (likely,))
    if together := tuple(
        str(change) for change in found if len(change.labels) > 1 and MIG_CONFIG_STATE in change.labels
    ):
        shown = Finding(("state and deploy labels in patches of their own",), texts, unexpected=together)
        raise ConformanceError(context, "states", shown)


def check_deploy_labels(
    context: CheckContext, changes: Sequence[LabelChange], expected: Sequence[ExpectedChange]
) -> None:
    """Check the changes of the deploy labels, in order; the state label is ignored.

    Raises:
        ConformanceError: A change is missing, unexpected, different or out of order.
    """
    found = changes_of_mig_manager(changes)
    if finding := compare_sequences(_deploy_changes(expected), _deploy_changes(found)):
        raise ConformanceError(context, "deploy labels", finding)


def check_idle(context: CheckContext, changes: Sequence[LabelChange], why: str) -> None:
    """Check that mig-manager changed neither the state label nor a deploy label.

    Args:
        context: Node and state that the check is about.
        changes: Label changes while mig-manager had nothing to do.
        why: Why it had nothing to do; ends the message.

    Raises:
        ConformanceError: There was a change.
    """
    if found := changes_of_mig_manager(changes):
        raise ConformanceError(context, "labels", Finding((f"no change: {why}",), tuple(map(str, found))))


def _states(changes: Sequence[ExpectedChange]) -> list[str]:
    values = [change.labels[MIG_CONFIG_STATE] for change in changes if MIG_CONFIG_STATE in change.labels]
    return ["(label removed)" if value is None else value for value in values]


def _deploy_changes(changes: Sequence[ExpectedChange]) -> list[str]:
    return [text for change in changes if (text := describe(_only_deploy(change.labels)))]


def _only_deploy(labels: Mapping[str, str | None]) -> dict[str, str | None]:
    return {key: value for key, value in labels.items() if is_deploy_label(key)}
