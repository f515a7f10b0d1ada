"""What must hold of a node that was rebooted, or whose operands were restarted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from conformance.expect.finding import CheckContext, ConformanceError
from conformance.expect.geometry import observed_geometry
from conformance.expect.interruptions import (
    REPLACED,
    check_booted_once,
    check_course_after_restart,
    check_in_cell,
    check_labels_kept,
    check_mode_after_reboot,
    check_no_devices,
    check_reboot_for_mode,
    check_replaced,
    check_state_left_alone,
)
from conformance.expect.transitions import Course
from conformance.expect.trial import RUNS_ON, NodeSnapshot, Trial
from conformance.spec.names import (
    DEPLOY_PREFIX,
    DEVICE_PLUGIN_APP,
    GFD_TIMESTAMP,
    GPU_COUNT,
    MIG_CONFIG,
    MIG_CONFIG_STATE,
    MIG_MANAGER_APP,
    PAUSED,
    VALIDATOR_APP,
)
from tests.expect.made import A100_80, SEVEN, context, gpu
from tests.expect.test_trials import DEPLOYED, MIG_MANAGER, Set, states

LABELS = {**DEPLOYED, MIG_CONFIG: "all-1g.10gb", MIG_CONFIG_STATE: "success", GPU_COUNT: "7", GFD_TIMESTAMP: "1"}
HERE = NodeSnapshot(LABELS, {"nvidia.com/gpu": 7}, (gpu(SEVEN),))
PAUSES, RESUMES = Set(dict.fromkeys(DEPLOYED, PAUSED)), Set(DEPLOYED)
(PENDING, SUCCESS, REBOOTING, FAILED) = states("pending", "success", "rebooting", "failed")
CHANGED = (PENDING, PAUSES, RESUMES, SUCCESS)
NOTHING = Trial(
    configuration="all-1g.10gb",
    before=HERE,
    after=HERE,
    labels_when_asked={name: value for name, value in LABELS.items() if name != MIG_CONFIG_STATE},
    resumed_before=True,
    label_changes=(),
    resource_changes=(),
    operands={DEVICE_PLUGIN_APP: RUNS_ON, MIG_MANAGER_APP: REPLACED, VALIDATOR_APP: REPLACED},
    users={},
    manager_log=(),
    reason="",
    seconds=None,
)
AGAIN = replace(NOTHING, label_changes=CHANGED)
WANTED = observed_geometry(HERE.gpus)


def after(trial: Trial, **changes: object) -> Trial:
    return replace(trial, after=replace(trial.after, **changes))  # type: ignore[arg-type] # fields of NodeSnapshot


def on(*boards_and_modes: tuple[str, bool], labels: dict[str, str] | None = None) -> Trial:
    """Return a reboot without label of GPUs that were in MIG mode before, with their modes after it."""
    before = tuple(gpu(board=board, index=at, mode=True) for at, (board, _) in enumerate(boards_and_modes))
    later = tuple(gpu(board=board, index=at, mode=mode) for at, (board, mode) in enumerate(boards_and_modes))
    return replace(NOTHING, before=replace(HERE, gpus=before), after=NodeSnapshot(labels or {}, {}, later))


H100 = "h100-80gb-hbm3"
RIGHT: dict[str, Callable[[CheckContext], None]] = {
    "nothing to do": lambda it: check_course_after_restart(it, NOTHING, Course.ALREADY, MIG_MANAGER),
    "made again": lambda it: check_course_after_restart(it, AGAIN, Course.CHANGED, MIG_MANAGER),
    "in the cell": lambda it: check_in_cell(it, AGAIN, WANTED, {"nvidia.com/gpu": 7}),
    "only the deleted pod": lambda it: check_replaced(it, NOTHING, [MIG_MANAGER_APP]),
    "another timestamp": lambda it: check_labels_kept(it, after(NOTHING, labels={**LABELS, GFD_TIMESTAMP: "2"})),
    "one boot": lambda it: check_booted_once(it, ["b"]),
    "Hopper loses the mode": lambda it: check_mode_after_reboot(it, on((H100, False))),
    "Ampere keeps it": lambda it: check_mode_after_reboot(it, on((A100_80, True), (H100, False))),
    "the default takes it": lambda it: check_mode_after_reboot(
        it, on((A100_80, False), labels={MIG_CONFIG: "all-disabled"})
    ),
    "no device": lambda it: check_no_devices(it, [gpu(mode=True)]),
    "no state": lambda it: check_state_left_alone(it, after(NOTHING, labels={})),
    "the default is answered": lambda it: check_state_left_alone(it, AGAIN),
    "Hopper fails after the boot": lambda it: check_reboot_for_mode(
        it, replace(NOTHING, label_changes=(PENDING, PAUSES, REBOOTING, RESUMES, FAILED)), WANTED, MIG_MANAGER
    ),
    "Ampere succeeds": lambda it: check_reboot_for_mode(
        it,
        replace(
            NOTHING,
            before=replace(HERE, gpus=(gpu(board=A100_80),)),
            label_changes=(PENDING, PAUSES, REBOOTING, PENDING, RESUMES, SUCCESS),
        ),
        WANTED,
        MIG_MANAGER,
    ),
    "Ampere beside a Hopper that stays as it is succeeds": lambda it: check_reboot_for_mode(
        it,
        replace(
            NOTHING,
            before=replace(HERE, gpus=(gpu(board=A100_80), gpu(board=H100, index=1))),
            label_changes=(PENDING, PAUSES, REBOOTING, PENDING, RESUMES, SUCCESS),
        ),
        WANTED,
        MIG_MANAGER,
    ),
}
WRONG: dict[str, tuple[Callable[[CheckContext], None], str]] = {
    "changed for nothing": (lambda it: check_course_after_restart(it, AGAIN, Course.ALREADY, MIG_MANAGER), "pending"),
    "left pending": (
        lambda it: check_course_after_restart(
            it, replace(NOTHING, label_changes=(PENDING, PAUSES)), Course.CHANGED, MIG_MANAGER
        ),
        "success",
    ),
    "no answer": (lambda it: check_in_cell(it, NOTHING, WANTED, {"nvidia.com/gpu": 7}), "did not look at the label"),
    "no layout": (lambda it: check_in_cell(it, after(AGAIN, gpus=(gpu(mode=True),)), WANTED, {}), "geometry"),
    "still paused": (
        lambda it: check_in_cell(it, after(AGAIN, labels={**LABELS, DEPLOY_PREFIX + "dcgm": PAUSED}), WANTED, {}),
        "gpu.deploy.dcgm: paused",
    ),
    "other resources": (lambda it: check_in_cell(it, AGAIN, WANTED, {"nvidia.com/gpu": 6}), "nvidia.com/gpu"),
    "another pod too": (lambda it: check_replaced(it, NOTHING, [DEVICE_PLUGIN_APP]), MIG_MANAGER_APP),
    "a label is gone": (
        lambda it: check_labels_kept(it, after(NOTHING, labels={**LABELS, GPU_COUNT: "8"})),
        "gpu.count",
    ),
    "another state": (
        lambda it: check_labels_kept(it, after(NOTHING, labels={**LABELS, MIG_CONFIG_STATE: "failed"})),
        "mig.config.state: failed",
    ),
    "no boot": (lambda it: check_booted_once(it, []), "did not reboot"),
    "two boots": (lambda it: check_booted_once(it, ["b", "c"]), "reboots the node again"),
    "Hopper keeps the mode": (lambda it: check_mode_after_reboot(it, on((H100, True))), "MIG on"),
    "Ampere loses it": (lambda it: check_mode_after_reboot(it, on((A100_80, False))), "MIG off"),
    "devices": (lambda it: check_no_devices(it, [gpu(SEVEN)]), "GPU 0: 1g.10gb"),
    "a state without a label": (lambda it: check_state_left_alone(it, after(AGAIN, labels={})), "pending"),
    "a state for an empty label": (
        lambda it: check_state_left_alone(it, after(AGAIN, labels={MIG_CONFIG: ""})),
        "the node has no label",
    ),
    "no reboot": (lambda it: check_reboot_for_mode(it, AGAIN, WANTED, MIG_MANAGER), "rebooting"),
    "operands run on until the reboot": (
        lambda it: check_reboot_for_mode(
            it, replace(NOTHING, label_changes=(PENDING, REBOOTING, FAILED)), WANTED, MIG_MANAGER
        ),
        "missing     gpu.deploy",
    ),
    "operands run on while it is made again": (
        lambda it: check_course_after_restart(
            it, replace(NOTHING, label_changes=(PENDING, SUCCESS)), Course.CHANGED, MIG_MANAGER
        ),
        "missing     gpu.deploy",
    ),
    "Ampere beside a Hopper that needs the mode, too": (
        lambda it: check_reboot_for_mode(
            it,
            replace(
                NOTHING,
                before=replace(HERE, gpus=(gpu(board=A100_80), gpu(board=H100, index=1))),
                label_changes=(PENDING, PAUSES, REBOOTING, PENDING, RESUMES, SUCCESS),
            ),
            (*WANTED, replace(WANTED[0], index=1)),
            MIG_MANAGER,
        ),
        "missing     failed",
    ),
    "rebooting twice": (
        lambda it: check_reboot_for_mode(
            it, replace(NOTHING, label_changes=(PENDING, PAUSES, REBOOTING, PENDING, REBOOTING)), WANTED, MIG_MANAGER
        ),
        "failed",
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_passes(name: str) -> None:
    RIGHT[name](context())


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named(name: str) -> None:
    check, text = WRONG[name]

    with pytest.raises(ConformanceError) as error:
        check(context())
    assert text in str(error.value)
