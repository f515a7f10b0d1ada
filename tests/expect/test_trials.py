"""What must hold of a request that is refused, and of the one after it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import pytest

from conformance.expect.finding import CheckContext, ConformanceError
from conformance.expect.geometry import observed_geometry
from conformance.expect.interruptions import check_in_cell
from conformance.expect.label_runs import (
    check_ignored,
    check_removed_meanwhile,
    check_requested,
    check_runs,
    check_stuck,
    wanted_after_removal,
)
from conformance.expect.observed import ObservedGpu
from conformance.expect.transitions import Course
from conformance.expect.trial import RUNS_ON, NodeSnapshot, Trial
from conformance.expect.trials import (
    check_courses,
    check_first_gpu_emptied,
    check_gpus_kept,
    check_never_advertised,
    check_operands_left_alone,
    check_reason,
    check_refused,
    check_resources_kept,
    check_users_left_alone,
)
from conformance.spec.names import DEPLOY_PREFIX, MIG_CONFIG, MIG_CONFIG_STATE, PAUSED
from tests.expect.made import BALANCED, SEVEN, context, gpu

MIG_MANAGER = "v0.15.0"
DEPLOYED = dict.fromkeys(
    (DEPLOY_PREFIX + name for name in ("device-plugin", "gpu-feature-discovery", "dcgm-exporter", "dcgm", "nvsm")),
    "true",
)
AT_REST = NodeSnapshot(DEPLOYED, {"nvidia.com/gpu": 7}, (gpu(SEVEN),))


@dataclass(frozen=True)
class Set:
    """A label change as a watch saw it."""

    set: Mapping[str, str]
    removed: tuple[str, ...] = ()
    time: float = 0.0
    version: str = "1"


@dataclass(frozen=True)
class Count:
    """A changed count as a watch saw it."""

    before: int | None
    after: int | None
    resource: str = "nvidia.com/gpu"
    field: str = field(default="allocatable")


def states(*values: str) -> tuple[Set, ...]:
    return tuple(Set({MIG_CONFIG_STATE: value}) for value in values)


REFUSED = Trial(
    configuration="nope",
    before=AT_REST,
    after=AT_REST,
    labels_when_asked=DEPLOYED,
    resumed_before=True,
    label_changes=states("failed"),
    resource_changes=(),
    operands={"nvidia-device-plugin-daemonset": RUNS_ON},
    users={"bystander": RUNS_ON},
    manager_log=("level=fatal", "Waiting"),
    reason='level=fatal msg="Error selecting MIG config: selected mig-config not present: nope"',
    seconds=0.5,
)
GOOD = replace(REFUSED, configuration="all-1g.10gb", label_changes=states("success"), reason="")


def refused(at: CheckContext, trial: Trial) -> None:
    check_refused(at, trial, MIG_MANAGER)


def has_reason(at: CheckContext, trial: Trial) -> None:
    check_reason(at, trial, "Selected mig-config not present: nope")


def recovered(at: CheckContext, trial: Trial) -> None:
    check_in_cell(at, trial, observed_geometry(AT_REST.gpus), AT_REST.allocatable)


def seven_or_none(at: CheckContext, trial: Trial) -> None:
    check_never_advertised(at, trial, [{"nvidia.com/gpu": 7}])


def slices_beside_a_gpu(at: CheckContext, trial: Trial) -> None:
    check_never_advertised(at, trial, [{"nvidia.com/mig-1g.10gb": 7, "nvidia.com/gpu": 1}])


def with_gpus(*gpus: ObservedGpu) -> NodeSnapshot:
    return replace(AT_REST, gpus=gpus)


def with_plugin_paused() -> NodeSnapshot:
    return replace(AT_REST, labels={**DEPLOYED, DEPLOY_PREFIX + "device-plugin": PAUSED})


def ignored(at: CheckContext, trial: Trial) -> None:
    check_ignored(at, trial, "the label was removed")


def ran_once(at: CheckContext, trial: Trial) -> None:
    check_runs(at, trial, ["all-1g.10gb"])


def removed_meanwhile(at: CheckContext, trial: Trial) -> None:
    check_removed_meanwhile(at, trial, MIG_MANAGER)


def stuck(at: CheckContext, trial: Trial) -> None:
    check_stuck(at, trial, MIG_MANAGER)


def not_requested(at: CheckContext, trial: Trial) -> None:
    check_requested(at, trial, None)


def runs(*names: str) -> tuple[str, ...]:
    return tuple(f'level=info msg="Updating to MIG config: {name}"' for name in names)


PAUSE = Set(dict.fromkeys(DEPLOYED, PAUSED))
RESUME = Set(DEPLOYED)
CHANGED = (*states("pending"), PAUSE, RESUME, *states("success"))
QUIET = replace(REFUSED, configuration="", label_changes=(), manager_log=(), reason="")
REMOVED = replace(
    GOOD, label_changes=(*CHANGED, *states("failed")), manager_log=runs("all-1g.10gb", ""), reason="missing flag"
)
STUCK = replace(
    GOOD, label_changes=(*states("pending"), PAUSE), reason="level=error: device-plugin pod did not shutdown"
)
OVERFULL = replace(REFUSED, configuration="suite-one-too-many", after=with_gpus(gpu(mode=True)))


Check = Callable[[CheckContext, Trial], None]


@pytest.mark.parametrize(
    ("check", "trial"),
    [
        (refused, REFUSED),
        (has_reason, REFUSED),
        (check_gpus_kept, REFUSED),
        (check_operands_left_alone, REFUSED),
        (check_users_left_alone, REFUSED),
        (check_resources_kept, REFUSED),
        (check_resources_kept, replace(REFUSED, resource_changes=(Count(None, 0), Count(8, 0, field="capacity")))),
        (recovered, GOOD),
        (recovered, replace(GOOD, label_changes=states("pending", "success"))),
        (seven_or_none, replace(GOOD, resource_changes=(Count(7, 0), Count(0, 7), Count(7, None)))),
        (ignored, QUIET),
        (ran_once, replace(GOOD, manager_log=runs("all-1g.10gb"))),
        (removed_meanwhile, REMOVED),
        (
            removed_meanwhile,
            replace(
                REMOVED,
                label_changes=(*CHANGED, Set({MIG_CONFIG: "all-disabled"}), *CHANGED),
                manager_log=runs("all-1g.10gb", "all-disabled"),
            ),
        ),
        (stuck, STUCK),
        (not_requested, REFUSED),
        (check_first_gpu_emptied, OVERFULL),
    ],
)
def test_what_must_be_is_accepted(check: Check, trial: Trial) -> None:
    check(context(), trial)


@pytest.mark.parametrize(
    ("check", "trial", "said"),
    [
        (refused, replace(REFUSED, label_changes=()), "found       nothing"),
        (refused, replace(REFUSED, label_changes=states("pending", "failed")), "unexpected  pending"),
        (refused, replace(REFUSED, label_changes=states("success")), "success"),
        (refused, replace(REFUSED, label_changes=(Set({DEPLOY_PREFIX + "dcgm": PAUSED}), *states("failed"))), "dcgm"),
        (has_reason, replace(REFUSED, reason=""), "level=fatal | Waiting"),
        (has_reason, replace(REFUSED, reason="", manager_log=()), "nothing was logged"),
        (has_reason, replace(REFUSED, reason="level=error msg=other"), "msg=other"),
        (check_gpus_kept, replace(REFUSED, after=with_gpus(gpu(mode=True))), "found       GPU 0: MIG on"),
        (check_gpus_kept, replace(REFUSED, after=with_gpus(gpu(BALANCED))), "3g.40gb"),
        (check_operands_left_alone, replace(REFUSED, operands={"gpu-feature-discovery": "replaced"}), "replaced"),
        (check_users_left_alone, replace(REFUSED, users={"bystander": "restarted"}), "restarted"),
        (check_resources_kept, replace(REFUSED, resource_changes=(Count(7, 0), Count(0, 7))), "nvidia.com/gpu: 7 -> 0"),
        (check_resources_kept, replace(REFUSED, resource_changes=(Count(7, 0),)), "nvidia.com/gpu: 7 -> 0"),
        (recovered, replace(GOOD, label_changes=states("failed")), "found       failed"),
        (recovered, replace(GOOD, label_changes=()), "no answer"),
        (recovered, replace(GOOD, after=with_gpus(gpu(BALANCED))), "geometry"),
        (recovered, replace(GOOD, after=with_plugin_paused()), "device-plugin: paused"),
        (recovered, replace(GOOD, after=replace(AT_REST, allocatable={"nvidia.com/gpu": 6})), "nvidia.com/gpu: 6"),
        (seven_or_none, replace(GOOD, resource_changes=(Count(0, 1), Count(1, 7))), "nvidia.com/gpu: 1"),
        (seven_or_none, replace(GOOD, resource_changes=(Count(0, 2, "nvidia.com/mig-1g.10gb"),)), "mig-1g.10gb: 2"),
        (slices_beside_a_gpu, replace(GOOD, resource_changes=(Count(0, 7),)), "nvidia.com/gpu: 7"),
        (ignored, replace(QUIET, manager_log=runs("")), "unexpected  (no label)"),
        (ignored, replace(QUIET, label_changes=states("failed")), "the label was removed"),
        (ignored, replace(QUIET, after=with_gpus(gpu(BALANCED))), "3g.40gb"),
        (ignored, replace(QUIET, operands={"gpu-feature-discovery": "restarted"}), "restarted"),
        (ignored, replace(QUIET, resource_changes=(Count(7, 0), Count(0, 7))), "nvidia.com/gpu: 7 -> 0"),
        (ran_once, replace(GOOD, manager_log=runs("all-1g.10gb", "nope")), "nope"),
        (removed_meanwhile, replace(REMOVED, manager_log=runs("all-1g.10gb")), "missing     (no label)"),
        (removed_meanwhile, replace(REMOVED, label_changes=CHANGED), "missing     failed"),
        (stuck, replace(STUCK, reason=""), "did not shutdown"),
        (stuck, replace(STUCK, after=with_gpus(gpu(BALANCED))), "mig-parted changed GPUs"),
        (stuck, replace(STUCK, label_changes=(*states("pending"), PAUSE, *states("failed"))), "failed"),
        (not_requested, replace(REFUSED, after=replace(AT_REST, labels={MIG_CONFIG: "all-disabled"})), "all-disabled"),
        (check_first_gpu_emptied, REFUSED, "expected    GPU 0: MIG on"),
    ],
)
def test_what_must_not_be_is_found(check: Check, trial: Trial, said: str) -> None:
    with pytest.raises(ConformanceError) as caught:
        check(context(), trial)

    assert said in str(caught.value)


def test_a_change_that_fails_is_no_refusal() -> None:
    paused = Set(dict.fromkeys(DEPLOYED, PAUSED))
    tried = replace(REFUSED, label_changes=(*states("pending"), paused, *states("failed")))

    check_courses(context(), tried, [Course.FAILED], MIG_MANAGER)
    with pytest.raises(ConformanceError):
        check_courses(context(), REFUSED, [Course.FAILED], MIG_MANAGER)


def test_a_process_that_never_succeeded_resumes_operands_after_each_failure() -> None:
    once, twice = (*states("pending"), PAUSE, RESUME, *states("failed")), [Course.FAILED, Course.FAILED]
    tried = replace(REFUSED, resumed_before=False, label_changes=(*once, *once))
    left = replace(tried, label_changes=(*once, *states("pending"), PAUSE, *states("failed")))

    check_courses(context(), tried, twice, MIG_MANAGER)
    with pytest.raises(ConformanceError, match="deploy labels"):
        check_courses(context(), left, twice, MIG_MANAGER)


def test_gpus_are_emptied_in_the_order_of_their_device_ids() -> None:
    """mig-parted sorts the entries of a layout for several models by device id; NVML sorts GPUs by PCI bus."""
    hopper, ampere = gpu(SEVEN), gpu(SEVEN, board="a100-sxm4-80gb", index=1)
    emptied = gpu(board="a100-sxm4-80gb", index=1, mode=True)
    left = replace(OVERFULL, before=with_gpus(hopper, ampere), after=with_gpus(hopper, emptied))

    check_first_gpu_emptied(context(), left)
    with pytest.raises(ConformanceError, match="GPU 1: MIG on"):
        check_first_gpu_emptied(context(), replace(left, after=with_gpus(gpu(mode=True), ampere)))


def test_same_devices_under_new_uuids_are_not_the_same() -> None:
    moved = replace(gpu(SEVEN), instances=tuple(replace(it, uuid=f"{it.uuid}x") for it in gpu(SEVEN).instances))

    with pytest.raises(ConformanceError, match="mig-parted changed GPUs"):
        check_gpus_kept(context(), replace(REFUSED, after=with_gpus(moved)))


@pytest.mark.parametrize("index", range(8))
def test_every_gpu_of_the_node_is_compared(index: int) -> None:
    before = [gpu(SEVEN, index=at) for at in range(8)]
    after = [gpu(BALANCED if at == index else SEVEN, index=at) for at in range(8)]

    with pytest.raises(ConformanceError, match=f"GPU {index}"):
        check_gpus_kept(context(), replace(REFUSED, before=with_gpus(*before), after=with_gpus(*after)))


def test_gpus_that_may_change_are_not_compared() -> None:
    before, after = (gpu(SEVEN), gpu(SEVEN, index=1)), (gpu(BALANCED), gpu(SEVEN, index=1))
    trial = replace(REFUSED, before=with_gpus(*before), after=with_gpus(*after))

    check_gpus_kept(context(), trial, but=[0])
    with pytest.raises(ConformanceError, match="GPU 0"):
        check_gpus_kept(context(), trial, but=[1])


@pytest.mark.parametrize(
    ("names", "kept"),
    [(("all-1g.10gb", ""), True), (("all-1g.10gb", "all-disabled"), False), (("all-disabled", "all-1g.10gb"), True)],
)
def test_the_last_run_decides_what_a_removed_label_leaves(names: tuple[str, ...], kept: bool) -> None:
    wanted = observed_geometry([gpu(SEVEN)])
    found = wanted_after_removal(replace(REMOVED, manager_log=runs(*names)), wanted)

    assert (found == wanted) is kept
    assert [(each.enabled, bool(each.instances)) for each in found] == [(kept, kept)]


def test_the_answer_is_the_last_one() -> None:
    assert replace(REFUSED, label_changes=states("failed", "success", "pending")).answer == "success"
    assert replace(REFUSED, label_changes=states("pending", "rebooting")).answer is None


def test_who_keeps_gpus_busy_is_a_likely_cause() -> None:
    busy = replace(REFUSED, holders=("pod team/train holds nvidia.com/gpu: 1",))

    with pytest.raises(ConformanceError) as caught:
        check_courses(context(), busy, [Course.CHANGED], MIG_MANAGER)

    assert caught.value.finding.likely[-1] == "pod team/train holds nvidia.com/gpu: 1"
