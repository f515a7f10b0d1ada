"""D-05, D-12, D-24, D-25: what becomes of a node that is rebooted, or whose operands, manager or kubelet are restarted.

Sources: NVIDIA/mig-parted v0.15.0, cmd/nvidia-mig-manager/main.go: it applies the label once at its start; MIG User
Guide, "MIG mode" and "Persistence": instances do not outlive a reboot, the mode does so on Ampere alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from conformance.expect.compare import compare_mappings
from conformance.expect.finding import CheckContext, ConformanceError, Finding
from conformance.expect.geometry import WantedGpu
from conformance.expect.hardware import check_geometry
from conformance.expect.observed import ObservedGpu
from conformance.expect.resources import check_resources
from conformance.expect.transitions import Course, check_deploy_labels, check_states, expected_changes
from conformance.expect.trial import RUNS_ON, Trial
from conformance.spec.names import (
    DEPLOY_PREFIX,
    GFD_TIMESTAMP,
    MIG_CONFIG,
    MIG_CONFIG_STATE,
    PAUSED,
    PAUSED_APPS,
    PREFIX,
    VALIDATOR_APP,
    State,
)

REPLACED: Final = "replaced"
"""Fate of a pod that is gone and has a successor."""
_AMPERE: Final = 8
"""Compute capability of the generation that keeps the MIG mode through a reboot."""


def check_course_after_restart(context: CheckContext, trial: Trial, course: Course, mig_manager: str) -> None:
    """Check the label changes of a mig-manager that was started anew and finds its label, which it applies once.

    Raises:
        ConformanceError: A change is missing, unexpected or out of order.
    """
    # A request of the suite removes no state label here: what the former process wrote is still there.
    expected = expected_changes(trial.before.labels, course, mig_manager, resumed_before=False)
    check_states(context, trial.label_changes, expected)
    check_deploy_labels(context, trial.label_changes, expected)


def check_reboot_for_mode(context: CheckContext, trial: Trial, wanted: Sequence[WantedGpu], mig_manager: str) -> None:
    """Check the label changes of a request whose MIG mode needs a reboot, with WITH_REBOOT set.

    The state becomes `rebooting` once. After the boot Ampere GPUs have the mode and get their layout; later generations
    have lost the mode, and the state becomes `failed` in place of another reboot.

    Args:
        context: Node and state that the check is about.
        trial: The request.
        wanted: The geometry of every GPU in the requested configuration.
        mig_manager: Image tag of mig-manager.

    Raises:
        ConformanceError: A change is missing, unexpected or out of order.
    """
    sliced = {gpu.index for gpu in wanted if gpu.enabled}
    kept = keeps_mode([gpu for gpu in trial.before.gpus if gpu.index in sliced])
    after = Course.CHANGED if kept else Course.REFUSED
    labels, expected = dict(trial.labels_when_asked), []
    for course in (Course.REBOOT, after):
        for change in expected_changes(labels, course, mig_manager, resumed_before=False):
            labels |= {name: value for name, value in change.labels.items() if value is not None}
            expected.append(change)
    check_states(context, trial.label_changes, expected)
    check_deploy_labels(context, trial.label_changes, expected)


def keeps_mode(gpus: Sequence[ObservedGpu]) -> bool:
    """Return whether all GPUs that can do MIG keep their mode through a reboot."""
    return all(gpu.capability[0] == _AMPERE for gpu in gpus if gpu.mig_capable)


def check_in_cell(
    context: CheckContext, trial: Trial, wanted: Sequence[WantedGpu], resources: Mapping[str, int]
) -> None:
    """Check that the node ended in `success`, with the geometry and the resources of its cell and no operand paused.

    Raises:
        ConformanceError: Something is missing; the message says what, and what mig-manager logged.
    """
    said = (f"mig-manager said: {trial.reason}",) if trial.reason else ()
    context = replace(context, hints=lambda: (*said, *trial.holders))
    if trial.answer != State.SUCCESS:
        found = " then ".join(trial.states) or "no answer"
        likely = () if trial.states else ("mig-manager did not look at the label: see its log",)
        raise ConformanceError(context, f"answer to {trial.configuration}", Finding((State.SUCCESS,), (found,)), likely)
    check_geometry(context, trial.after.gpus, wanted)
    if paused := tuple(f"{name}: {value}" for name, value in trial.after.labels.items() if value == PAUSED):
        likely = ("nothing resumes them but a change that succeeds, or a restart of mig-manager's pod",)
        raise ConformanceError(context, "deploy labels", Finding(("no operand paused",), paused), likely)
    check_resources(context, trial.after.allocatable, resources)


def check_replaced(context: CheckContext, trial: Trial, deleted: Sequence[str]) -> None:
    """Check that each deleted pod has one successor, and that all other operands' pods run on.

    The validator's pod may be replaced as well.

    Raises:
        ConformanceError: A pod is missing, or another one was replaced or restarted.
    """
    others = [app for app in trial.operands if app != VALIDATOR_APP]
    expected = {app: REPLACED if app in deleted else RUNS_ON for app in others}
    found = {app: trial.operands[app] for app in others}
    if finding := compare_mappings(expected, found, only_differences=True):
        raise ConformanceError(context, "operand pods", finding, (f"pods were deleted of {', '.join(deleted)}",))


def check_labels_kept(context: CheckContext, trial: Trial) -> None:
    """Check that the node has the labels of before again, apart from the time at which they were written.

    Raises:
        ConformanceError: A label of `nvidia.com/` differs.
    """
    if finding := compare_mappings(_lasting(trial.before.labels), _lasting(trial.after.labels), only_differences=True):
        raise ConformanceError(context, "labels", finding, _likely_labels(finding))


def check_booted_once(context: CheckContext, boots: Sequence[str]) -> None:
    """Check that the node has booted exactly once.

    Raises:
        ConformanceError: It has not, or more than once.
    """
    if len(boots) != 1:
        found = tuple(f"boot id {boot}" for boot in boots) or ("the boot id of before",)
        likely = "somebody reboots the node again" if boots else "the node did not reboot"
        raise ConformanceError(context, "boots", Finding(("one new boot id",), found), (likely,))


def check_mode_after_reboot(context: CheckContext, trial: Trial) -> None:
    """Check the MIG mode of each GPU after a reboot in which nobody asked for a configuration.

    An Ampere GPU keeps the mode that it had, and loses it if the operator has given the node its default meanwhile.
    Later generations lose it.

    Raises:
        ConformanceError: A GPU has another mode.
    """
    asked = bool(trial.after.labels.get(MIG_CONFIG))
    before = {gpu.index: gpu.mode for gpu in trial.before.gpus}
    expected = {
        f"GPU {gpu.index}": _on(before.get(gpu.index, False) and gpu.capability[0] == _AMPERE and not asked)
        for gpu in trial.after.gpus
    }
    found = {f"GPU {gpu.index}": _on(gpu.mode) for gpu in trial.after.gpus}
    if finding := compare_mappings(expected, found, only_differences=True):
        likely = "only Ampere keeps the MIG mode through a reboot; later generations lose it"
        raise ConformanceError(context, "MIG mode after a reboot", finding, (likely,))


def check_no_devices(context: CheckContext, gpus: Sequence[ObservedGpu]) -> None:
    """Check that no GPU has a MIG device.

    Raises:
        ConformanceError: One has; the message lists them.
    """
    found = tuple(f"GPU {gpu.index}: {device.profile}" for gpu in gpus for device in gpu.instances)
    if found:
        likely = "the layout was made again although the node has no label that asks for it"
        raise ConformanceError(context, "MIG devices", Finding((), found), (likely,))


def check_state_left_alone(context: CheckContext, trial: Trial) -> None:
    """Check that mig-manager wrote no state: without a label it has nothing to do, and the last answer stays.

    Raises:
        ConformanceError: The state changed, unless the operator has given the node its default label.
    """
    if trial.states and not trial.after.labels.get(MIG_CONFIG):
        expected = (trial.before.labels.get(MIG_CONFIG_STATE, "no state"),)
        raise ConformanceError(context, "states", Finding(expected, trial.states), ("the node has no label",))


def _lasting(labels: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in labels.items() if name.startswith(PREFIX) and name != GFD_TIMESTAMP}


def _likely_labels(finding: Finding) -> tuple[str, ...]:
    texts = " ".join((*finding.missing, *finding.unexpected, *finding.found))
    paused = [label for label in PAUSED_APPS.values() if label in texts]
    return (f"{DEPLOY_PREFIX}* stays paused: its operand is gone",) if paused else ()


def _on(mode: bool) -> str:
    return "MIG on" if mode else "MIG off"
