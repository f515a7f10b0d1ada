"""D-02, D-05: the label patches that mig-manager makes during one reconfiguration, in order, by its version.

Sources: NVIDIA/mig-parted v0.15.0, pkg/mig/reconfigure/reconfigure.go; before v0.13.0
deployments/container/reconfigure-mig.sh; what pull request 484 mends counts from v0.15.1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Final

from conformance.expect.compare import compare_sequences
from conformance.expect.finding import CheckContext, ConformanceError, Finding
from conformance.expect.patches import LabelPatch, Write, describe, is_deploy_label, writes_of_mig_manager
from conformance.spec.names import DEPLOY_CLIENT, DEPLOY_PREFIX, MIG_CONFIG_STATE, PAUSED, PAUSED_OPERANDS, State
from conformance.spec.releases import at_least

GO: Final = "v0.13.0"
"""mig-manager from which the flow is written in Go; before, a script."""
CLIENT_LABEL: Final = "v0.15.0"
"""mig-manager from which gpu.deploy.client is paused too, where it is set."""
WAITS_FAIL: Final = "v0.15.1"
"""mig-manager from which a wait that runs out ends in failed (pull request 484)."""
_APPLIES: Final = "Applying the selected MIG config to the node"
_SUCCEEDS: Final = f"'{MIG_CONFIG_STATE}' node label to '{State.SUCCESS}'"
"""What mig-manager logs of these two steps, in every version."""


class Course(StrEnum):
    """How a reconfiguration goes."""

    CHANGED = "changed"
    """The geometry was changed."""
    ALREADY = "already applied"
    """Everything was as wanted."""
    REFUSED = "refused"
    """The name, or the file, is no good."""
    FAILED = "failed"
    """The change was begun and could not be made."""
    STUCK = "stuck"
    """An operand does not end."""
    REBOOT = "reboot"
    """The mode could not be changed and WITH_REBOOT is set; as far as the reboot."""


_FINAL: Final = {
    Course.CHANGED: State.SUCCESS,
    Course.ALREADY: State.SUCCESS,
    Course.REFUSED: State.FAILED,
    Course.FAILED: State.FAILED,
    Course.REBOOT: State.REBOOTING,
}
_PAUSES: Final = (Course.CHANGED, Course.FAILED, Course.STUCK, Course.REBOOT)


def expected_writes(
    before: Mapping[str, str], course: Course, mig_manager: str, *, resumed_before: bool
) -> tuple[Write, ...]:
    """Return the patches that a watch sees, in order; a patch that changes nothing is not seen.

    Args:
        before: The node's labels when the reconfiguration begins.
        course: How it goes.
        mig_manager: Tag of mig-manager.
        resumed_before: Whether the same mig-manager process brought a change to success before. From v0.13.0 on it
            then does not resume the operands again on failure, nor where nothing is to be done.

    Raises:
        VersionError: The tag is no version.
    """
    if course is Course.STUCK:
        course = _course_of_a_wait_that_runs_out(mig_manager)
    labels, seen = dict(before), []
    for patch in _patches(before, course, mig_manager, resumed_before=resumed_before):
        changed = {key: value for key, value in patch.items() if labels.get(key) != value}
        labels |= changed
        if changed:
            seen.append(Write(changed))
    return tuple(seen)


def _course_of_a_wait_that_runs_out(mig_manager: str) -> Course:
    if not at_least(mig_manager, GO):
        return Course.CHANGED
    return Course.FAILED if at_least(mig_manager, WAITS_FAIL) else Course.STUCK


def _patches(
    before: Mapping[str, str], course: Course, mig_manager: str, *, resumed_before: bool
) -> list[Mapping[str, str]]:
    patches: list[Mapping[str, str]] = []
    script, changed = not at_least(mig_manager, GO), course is Course.CHANGED
    if course in _PAUSES:
        patches += [{MIG_CONFIG_STATE: State.PENDING}, _deploy(before, mig_manager, PAUSED)]
    if course not in (Course.STUCK, Course.REBOOT) and (changed or script or not resumed_before):
        resumed = _deploy(before, mig_manager, "true")
        # The script brings nvsm back after a change only.
        patches.append({key: v for key, v in resumed.items() if changed or not script or key != DEPLOY_PREFIX + "nvsm"})
    if course in _FINAL:
        patches.append({MIG_CONFIG_STATE: _FINAL[course]})
    return patches


def _deploy(before: Mapping[str, str], mig_manager: str, value: str) -> dict[str, str]:
    """Set every deploy label to `value` but those that somebody set to false."""
    labels = [DEPLOY_PREFIX + operand for operand in PAUSED_OPERANDS]
    if at_least(mig_manager, CLIENT_LABEL) and before.get(DEPLOY_CLIENT):
        labels.append(DEPLOY_CLIENT)
    return {label: "false" if before.get(label) == "false" else value for label in labels}


def check_writes(context: CheckContext, changes: Sequence[LabelPatch], expected: Sequence[Write]) -> None:
    """Compare all patches of the state and deploy labels, in order.

    Raises:
        ConformanceError: A patch is missing, too much, different or out of order.
    """
    found = writes_of_mig_manager(changes)
    if finding := compare_sequences([str(write) for write in expected], [str(write) for write in found]):
        raise ConformanceError(context, "label patches", finding)


def check_states(context: CheckContext, changes: Sequence[LabelPatch], expected: Sequence[Write]) -> None:
    """Compare the values of the state label, and that the deploy labels change only between the first and the last.

    Raises:
        ConformanceError: A state is missing, too much or out of order, or written before or after its time.
    """
    found = writes_of_mig_manager(changes)
    if finding := compare_sequences(_states(expected), _states(found)):
        raise ConformanceError(context, "states", finding)
    positions = [at for at, write in enumerate(found) if MIG_CONFIG_STATE in write.labels]
    if not positions:
        return
    first, last, patches = positions[0], positions[-1], tuple(map(str, found))
    if patches[:first] and MIG_CONFIG_STATE in expected[0].labels:
        shown = Finding((f"{patches[first]} as the first patch",), patches, unexpected=patches[:first])
        raise ConformanceError(context, "states", shown, ("the work was begun before the state said so",))
    if patches[last + 1 :] and MIG_CONFIG_STATE in expected[-1].labels:
        shown = Finding((f"{patches[last]} as the last patch",), patches, unexpected=patches[last + 1 :])
        raise ConformanceError(context, "states", shown, ("the state was written before the work was done",))


def check_applied_before_success(context: CheckContext, log: Sequence[str]) -> None:
    """Check by mig-manager's own log that the GPUs were changed before `success` was written.

    The label alone does not tell: operands and pods start seconds later, and then find the GPUs changed.

    Args:
        context: Where.
        log: What it wrote during the reconfiguration; where it does not speak of both steps nothing is checked.

    Raises:
        ConformanceError: It wrote `success` first.
    """
    steps = [(step, line) for line in log for step in (_APPLIES, _SUCCEEDS) if step in line]
    order = [step for step, _ in steps]
    if _APPLIES in order and _SUCCEEDS in order and order.index(_SUCCEEDS) < order.index(_APPLIES):
        expected = ("applies the configuration, then writes success",)
        raise ConformanceError(context, "log of mig-manager", Finding(expected, tuple(line for _, line in steps)))


def check_deploy_labels(context: CheckContext, changes: Sequence[LabelPatch], expected: Sequence[Write]) -> None:
    """Compare the patches of the deploy labels, in order, whatever the state label says meanwhile.

    Raises:
        ConformanceError: A patch is missing, too much, different or out of order.
    """
    found = writes_of_mig_manager(changes)
    if finding := compare_sequences(_deploy_writes(expected), _deploy_writes(found)):
        raise ConformanceError(context, "deploy labels", finding)


def _states(writes: Sequence[Write]) -> list[str]:
    return [write.labels[MIG_CONFIG_STATE] for write in writes if MIG_CONFIG_STATE in write.labels]


def _deploy_writes(writes: Sequence[Write]) -> list[str]:
    return [text for write in writes if (text := describe(_only_deploy(write.labels)))]


def _only_deploy(labels: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in labels.items() if is_deploy_label(key)}
