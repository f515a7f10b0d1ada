"""D-02, D-03, D-22, D-23: what mig-manager may do with a request that it must refuse, and what comes after it.

Sources: NVIDIA/mig-parted v0.15.0, pkg/mig/reconfigure and cmd/nvidia-mig-parted/assert;
tests/recordings/data/mig-manager-transitions.json.gz.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from conformance.expect.compare import compare_mappings
from conformance.expect.finding import CheckContext, ConformanceError, Finding
from conformance.expect.observed import ObservedGpu
from conformance.expect.transitions import Course, check_deploy_labels, check_states, expected_changes
from conformance.expect.trial import RUNS_ON, NodeSnapshot, Trial
from conformance.spec.names import PREFIX


def check_refused(context: CheckContext, trial: Trial, mig_manager: str) -> None:
    """Check that mig-manager refused the request: `failed` without `pending`, and without pausing an operand.

    Raises:
        ConformanceError: Another answer, none, or more label changes than that.
    """
    check_courses(context, trial, [Course.REFUSED], mig_manager)


def check_failed(context: CheckContext, trial: Trial, mig_manager: str) -> None:
    """Check that mig-manager tried and failed: `pending`, then `failed`, with the deploy labels as its version does.

    Raises:
        ConformanceError: Another answer, none, or other label changes than that.
    """
    check_courses(context, trial, [Course.FAILED], mig_manager)


def check_courses(context: CheckContext, trial: Trial, courses: Sequence[Course], mig_manager: str) -> None:
    """Check state label and deploy labels of one or more runs of mig-manager, one after the other.

    Args:
        context: Node and state that the check is about.
        trial: What was done.
        courses: How each run must go. After a run that changed the GPUs, the process no longer resumes operands when a
            later run fails, see `expected_changes`.
        mig_manager: Image tag of mig-manager.

    Raises:
        ConformanceError: A label change is missing, unexpected or out of order.
    """
    labels, resumed, expected = dict(trial.labels_when_asked), trial.resumed_before, []
    for course in courses:
        for change in expected_changes(labels, course, mig_manager, resumed_before=resumed):
            labels |= {key: value for key, value in change.labels.items() if value is not None}
            expected.append(change)
        resumed = resumed or course is Course.CHANGED
    said = trial.reason or "nothing at level error"
    context = _with_hint(context, f"after {subject(trial)} mig-manager said: {said}; see its log", *trial.holders)
    check_states(context, trial.label_changes, expected)
    check_deploy_labels(context, trial.label_changes, expected)


def check_reason(context: CheckContext, trial: Trial, text: str) -> None:
    """Check that mig-manager's log says why the request failed: there is no other place where it could.

    Args:
        context: Node and state that the check is about.
        trial: The request.
        text: What an error line must contain; upper and lower case are the same.

    Raises:
        ConformanceError: No error line contains it.
    """
    if text.lower() not in trial.reason.lower():
        found = trial.reason or " | ".join(trial.manager_log[-3:]) or "nothing was logged"
        likely = "nobody can tell from the node why it failed: mig-manager writes no event, condition or annotation"
        raise ConformanceError(context, "log of mig-manager", Finding((f"an error: {text}",), (found,)), (likely,))


def check_gpus_kept(context: CheckContext, trial: Trial, *, but: Collection[int] = ()) -> None:
    """Check that every GPU still has the same mode and the same MIG devices, with the same UUIDs.

    Args:
        context: Node and state that the check is about.
        trial: What was done.
        but: Indices of GPUs that may have changed.

    Raises:
        ConformanceError: A GPU differs; the message shows every GPU that does.
    """
    if finding := compare_mappings(_gpus(trial.before, but), _gpus(trial.after, but), only_differences=True):
        likely = f"mig-parted changed GPUs for {subject(trial)}: see `nvidia-mig-parted apply` in mig-manager's log"
        raise ConformanceError(context, "GPUs", finding, (likely,))


def check_first_gpu_emptied(context: CheckContext, trial: Trial) -> None:
    """Check what a layout for all GPUs leaves behind that none of them can take: the first is empty, with MIG on.

    mig-parted stops at the first GPU that fails, so the others keep what they had. The entries of the layout are in the
    order of device ids.

    Raises:
        ConformanceError: A GPU differs; the message shows every GPU that does.
    """
    first = min(trial.before.gpus, key=lambda gpu: (not gpu.mig_capable, gpu.device_id, gpu.index))
    expected = _gpus(trial.before) | {f"GPU {first.index}": "MIG on"}
    if finding := compare_mappings(expected, _gpus(trial.after), only_differences=True):
        likely = f"{subject(trial)} cannot be met: mig-parted clears a GPU and stops when no order of instances fits"
        raise ConformanceError(context, "GPUs", finding, (likely,))


def check_operands_left_alone(context: CheckContext, trial: Trial) -> None:
    """Check that no operand's pod was deleted, replaced or restarted.

    Raises:
        ConformanceError: One was.
    """
    if finding := compare_mappings(dict.fromkeys(trial.operands, RUNS_ON), trial.operands, only_differences=True):
        likely = f"deploy labels were paused, or somebody deleted pods, although {subject(trial)} changes nothing"
        raise ConformanceError(context, "operand pods", finding, (likely,))


def check_users_left_alone(context: CheckContext, trial: Trial) -> None:
    """Check that no pod of a user was deleted, replaced or restarted.

    Raises:
        ConformanceError: One was.
    """
    if finding := compare_mappings(dict.fromkeys(trial.users, RUNS_ON), trial.users, only_differences=True):
        raise ConformanceError(context, "pods of users", finding, ("mig-manager must not touch pods of users",))


def check_resources_kept(context: CheckContext, trial: Trial) -> None:
    """Check that the node never advertised anything else than before, not even for a moment.

    Raises:
        ConformanceError: An allocatable count of an `nvidia.com/` resource changed.
    """
    changed = [
        change
        for change in trial.resource_changes
        if change.field == "allocatable" and change.resource.startswith(PREFIX) and change.before != change.after
    ]
    seen = tuple(f"{change.resource}: {change.before or 0} -> {change.after or 0}" for change in changed)
    if seen and any(change.before or change.after for change in changed):
        expected = tuple(f"{name}: {count}" for name, count in sorted(trial.before.allocatable.items()) if count)
        likely = f"the device plugin was restarted or found other devices, although {subject(trial)} changes nothing"
        raise ConformanceError(context, "resources", Finding(expected, seen), (likely,))


def check_never_advertised(context: CheckContext, trial: Trial, allowed: Sequence[Mapping[str, int]]) -> None:
    """Check that no resource ever had a count that no geometry on the way gives, above all that no whole GPU was there.

    Args:
        context: Node and state that the check is about.
        trial: What was done.
        allowed: Resources of each geometry on the way; 0 is always allowed.

    Raises:
        ConformanceError: A count of an `nvidia.com/` resource in allocatable was none of those.
    """
    counts = {name: {0, *(stage.get(name, 0) for stage in allowed)} for stage in allowed for name in stage}
    wrong = tuple(
        f"{change.resource}: {change.after}"
        for change in trial.resource_changes
        if change.field == "allocatable" and change.resource.startswith(PREFIX)
        if (change.after or 0) not in counts.get(change.resource, {0})
    )
    if wrong:
        expected = tuple(f"{name}: {' or '.join(map(str, sorted(those)))}" for name, those in sorted(counts.items()))
        likely = "the device plugin ran before the geometry was there: a pod could have got a whole GPU"
        raise ConformanceError(context, "resources over time", Finding(expected, wrong), (likely,))


def _with_hint(context: CheckContext, *hints: str) -> CheckContext:
    return replace(context, hints=lambda: hints)


def _gpus(moment: NodeSnapshot, but: Collection[int] = ()) -> dict[str, str]:
    return {f"GPU {gpu.index}": _devices(gpu) for gpu in moment.gpus if gpu.index not in but}


def _devices(gpu: ObservedGpu) -> str:
    devices = sorted((device.start, f"{device.profile} {device.uuid}") for device in gpu.instances)
    bare = [f"{instance.profile} without a compute instance" for instance in gpu.bare_instances]
    return ", ".join([f"MIG {'on' if gpu.mode else 'off'}", *(text for _, text in devices), *bare])


def subject(trial: Trial) -> str:
    """Return what was done, in words, for messages."""
    return f"the request for {trial.configuration}" if trial.configuration else "the change of the label"
