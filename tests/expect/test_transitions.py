"""D-02, D-05: label changes by course and version.

The traces of v0.15.0 were recorded from the real mig-manager on a real API server; those of the script follow
deployments/container/reconfigure-mig.sh of NVIDIA/mig-parted v0.12.3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from conformance.expect.finding import CheckContext, ConformanceError
from conformance.expect.label_changes import ExpectedChange
from conformance.expect.transitions import (
    Course,
    check_deploy_labels,
    check_idle,
    check_states,
    expected_changes,
)
from conformance.spec.names import DEPLOY_CLIENT, DEPLOY_PREFIX, MIG_CONFIG_STATE, PAUSED, PAUSED_OPERANDS
from tests.expect.made import context

SCRIPT, GO, CLIENT, FIXED = "v0.12.3", "v0.14.2", "v0.15.0", "v0.15.1-484"
ALL = [SCRIPT, GO, CLIENT, FIXED]
FOUR = ("device-plugin", "gpu-feature-discovery", "dcgm-exporter", "dcgm")
Labels = dict[str, str]


def deploy(value: str, *operands: str) -> Labels:
    return {DEPLOY_PREFIX + operand: value for operand in operands or PAUSED_OPERANDS}


def state(value: str) -> Labels:
    return {MIG_CONFIG_STATE: value}


@dataclass(frozen=True)
class Seen:
    """One event of the watch."""

    set: Mapping[str, str]
    time: float = 0.0
    removed: Sequence[str] = field(default_factory=tuple)
    version: str = "1"


NODE = deploy("true", *FOUR)
USED = deploy("true")
"""A node on which mig-manager ran before, so it has the deploy label of nvsm as well."""
PAUSE, RESUME = deploy(PAUSED), deploy("true")


@pytest.mark.parametrize(
    ("before", "course", "version", "resumed", "patches"),
    [
        pytest.param(NODE, Course.CHANGED, CLIENT, False, [state("pending"), PAUSE, RESUME, state("success")],
                     id="recorded: default-label-needs-work"),
        pytest.param(NODE, Course.ALREADY, CLIENT, False, [deploy("true", "nvsm"), state("success")],
                     id="recorded: default-label-already-applied"),
        pytest.param(USED | state("success"), Course.ALREADY, CLIENT, True, [],
                     id="recorded: same-value-set-again"),
        pytest.param(NODE, Course.REFUSED, CLIENT, False, [deploy("true", "nvsm"), state("failed")],
                     id="recorded: nonexistent-config-name"),
        pytest.param(PAUSE, Course.ALREADY, CLIENT, False, [RESUME, state("success")],
                     id="recorded: paused-labels-left-over"),
        pytest.param({}, Course.CHANGED, CLIENT, False, [state("pending"), PAUSE, RESUME, state("success")],
                     id="recorded: no-deploy-labels"),
        pytest.param(
            NODE | deploy("false", "device-plugin"), Course.CHANGED, CLIENT, False,
            [
                state("pending"), deploy(PAUSED, "gpu-feature-discovery", "dcgm-exporter", "dcgm", "nvsm"),
                deploy("true", "gpu-feature-discovery", "dcgm-exporter", "dcgm", "nvsm"), state("success"),
            ],
            id="recorded: device-plugin-false-honoured",
        ),
        pytest.param(
            NODE | {DEPLOY_CLIENT: "true"}, Course.CHANGED, CLIENT, False,
            [state("pending"), PAUSE | {DEPLOY_CLIENT: PAUSED}, RESUME | {DEPLOY_CLIENT: "true"}, state("success")],
            id="recorded: third-party-client",
        ),
        pytest.param(USED, Course.FAILED, CLIENT, False, [state("pending"), PAUSE, RESUME, state("failed")],
                     id="recorded: already-applied-then-failure"),
        pytest.param(USED, Course.FAILED, CLIENT, True, [state("pending"), PAUSE, state("failed")],
                     id="recorded: two-failures-after-success, the first"),
        pytest.param(PAUSE | state("failed"), Course.FAILED, CLIENT, True, [state("pending"), state("failed")],
                     id="recorded: two-failures-after-success, the second"),
        pytest.param(NODE, Course.REBOOT, CLIENT, False, [state("pending"), PAUSE, state("rebooting")],
                     id="recorded: gpu-busy-with-reboot"),
        pytest.param(NODE, Course.STUCK, CLIENT, False, [state("pending"), PAUSE], id="recorded: operand-never-ends"),
        pytest.param(USED, Course.STUCK, FIXED, False, [state("pending"), PAUSE, RESUME, state("failed")],
                     id="pull request 484: a wait that runs out fails"),
        pytest.param(USED, Course.STUCK, SCRIPT, False, [state("pending"), PAUSE, RESUME, state("success")],
                     id="script: a wait that runs out is ignored"),
        pytest.param(NODE | {DEPLOY_CLIENT: "true"}, Course.CHANGED, GO, False,
                     [state("pending"), PAUSE, RESUME, state("success")], id="no client label before v0.15.0"),
        pytest.param(NODE, Course.ALREADY, SCRIPT, True, [state("success")], id="script: nvsm is not touched"),
        pytest.param(USED, Course.FAILED, SCRIPT, True,
                     [state("pending"), PAUSE, deploy("true", *FOUR), state("failed")],
                     id="script: always resumes, but not nvsm"),
    ],
)  # fmt: skip
def test_expected_changes(before: Labels, course: Course, version: str, resumed: bool, patches: list[Labels]) -> None:
    assert [
        dict(change.labels) for change in expected_changes(before, course, version, resumed_before=resumed)
    ] == patches


def set_by(change: ExpectedChange) -> Labels:
    return {key: value for key, value in change.labels.items() if value is not None}


@pytest.mark.parametrize("version", ALL)
@pytest.mark.parametrize("course", Course)
@pytest.mark.parametrize("resumed", [False, True])
def test_expected_changes_pass(version: str, course: Course, resumed: bool) -> None:
    expected = expected_changes(NODE, course, version, resumed_before=resumed)
    others = [Seen({"nvidia.com/gpu.count": "8"}), Seen({}, removed=["nvidia.com/gpu.count"])]
    seen = [*others, *(Seen({**set_by(change), "nvidia.com/mig.config": "x"}) for change in expected), *others]

    for check in (check_states, check_deploy_labels):
        check(context(), seen, expected)


CHANGE = expected_changes(NODE, Course.CHANGED, CLIENT, resumed_before=False)
Check = Callable[[CheckContext, Sequence[Seen], Sequence[ExpectedChange]], None]


@pytest.mark.parametrize(
    ("seen", "fails"),
    [
        pytest.param([PAUSE, RESUME, state("success")], check_states, id="skips pending"),
        pytest.param([state("success"), state("pending"), PAUSE, RESUME], check_states,
                     id="success first"),
        pytest.param([state("pending"), state("success"), PAUSE, RESUME], check_states,
                     id="success before the work"),
        pytest.param([PAUSE, state("pending"), RESUME, state("success")], check_states,
                     id="pending after the work was begun"),
        pytest.param([state("pending"), PAUSE, RESUME], check_states, id="never answers"),
        pytest.param([state("pending"), PAUSE, state("success")], check_deploy_labels,
                     id="leaves paused"),
        pytest.param([state("pending"), deploy("true", "nvsm"), state("success")], check_deploy_labels,
                     id="pauses nothing"),
        pytest.param([state("pending"), PAUSE, deploy("true", *FOUR), state("success")],
                     check_deploy_labels, id="forgets nvsm"),
        pytest.param([state("pending"), state("failed"), PAUSE, RESUME, state("success")], check_states,
                     id="shows another state"),
        pytest.param([state("pending"), PAUSE, RESUME, state("success"), state("success")], check_states,
                     id="writes success twice"),
        pytest.param([state("pending"), state("pending"), PAUSE, RESUME, state("success")], check_states,
                     id="writes pending twice"),
        pytest.param([state("pending") | PAUSE, RESUME, state("success")], check_states,
                     id="pending and the paused labels in one patch"),
        pytest.param([state("pending"), PAUSE, RESUME | state("success")], check_states,
                     id="success and the labels that are back in one patch"),
        pytest.param([state("pending"), PAUSE, PAUSE, RESUME, state("success")], check_deploy_labels,
                     id="pauses twice"),
        pytest.param([state("pending"), RESUME, PAUSE, state("success")], check_deploy_labels,
                     id="resumes before it pauses"),
        pytest.param([state("pending"), PAUSE | deploy(PAUSED, "driver"), RESUME | deploy("true", "driver"),
                      state("success")], check_deploy_labels, id="pauses the driver"),
    ],
)  # fmt: skip
def test_a_wrong_trace_fails_the_check_it_concerns_and_passes_the_other(seen: list[Labels], fails: Check) -> None:
    events = [Seen(labels) for labels in seen]
    (passes,) = {check_states, check_deploy_labels} - {fails}

    passes(context(), events, CHANGE)
    with pytest.raises(ConformanceError):
        fails(context(), events, CHANGE)


STEPS = [Seen(state("pending")), Seen(PAUSE), Seen(RESUME), Seen(state("success"))]


@pytest.mark.parametrize("at", range(1, 5))
@pytest.mark.parametrize(
    ("label", "fails", "found"),
    [
        (MIG_CONFIG_STATE, check_states, "(label removed)"),
        (DEPLOY_PREFIX + "nvsm", check_deploy_labels, "gpu.deploy.{nvsm} removed"),
        (DEPLOY_PREFIX + "driver", check_deploy_labels, "gpu.deploy.{driver} removed"),
    ],
)
def test_a_label_that_is_removed_fails(at: int, label: str, fails: Check, found: str) -> None:
    """mig-manager removes none, and what the suite removes is not among these changes."""
    seen = [*STEPS[:at], Seen({}, removed=[label]), *STEPS[at:]]

    with pytest.raises(ConformanceError) as failed:
        fails(context(), seen, CHANGE)
    assert found in str(failed.value)


def message_of(check: Check, *seen: Labels) -> str:
    with pytest.raises(ConformanceError) as failed:
        check(context(requirement="D-05"), [Seen(labels) for labels in seen], CHANGE)
    return str(failed.value)


EVERY = "{dcgm,dcgm-exporter,device-plugin,gpu-feature-discovery,nvsm}"


def test_message_of_states() -> None:
    assert message_of(check_states, PAUSE, RESUME, state("success")) == (
        "D-05 states of node sim-0 under single, all-1g.10gb\n"
        "  expected    pending\n"
        "              success\n"
        "  found       success\n"
        "  missing     pending"
    )


def test_message_of_a_change_before_pending() -> None:
    assert message_of(check_states, PAUSE, state("pending"), RESUME, state("success")) == (
        "D-05 states of node sim-0 under single, all-1g.10gb\n"
        "  expected    mig.config.state=pending as the first change\n"
        f"  found       gpu.deploy.{EVERY}=paused-for-mig-change\n"
        "              mig.config.state=pending\n"
        f"              gpu.deploy.{EVERY}=true\n"
        "              mig.config.state=success\n"
        f"  unexpected  gpu.deploy.{EVERY}=paused-for-mig-change\n"
        "  likely      mig-manager changed deploy labels before it wrote the first state"
    )


def test_message_of_a_success_before_the_work() -> None:
    assert message_of(check_states, state("pending"), state("success"), RESUME) == (
        "D-05 states of node sim-0 under single, all-1g.10gb\n"
        "  expected    mig.config.state=success as the last change\n"
        "  found       mig.config.state=pending\n"
        "              mig.config.state=success\n"
        f"              gpu.deploy.{EVERY}=true\n"
        f"  unexpected  gpu.deploy.{EVERY}=true\n"
        "  likely      mig-manager still changed deploy labels after it wrote the last state"
    )


def test_message_of_operands_that_stay_paused() -> None:
    assert message_of(check_deploy_labels, state("pending"), PAUSE, state("success")) == (
        "D-05 deploy labels of node sim-0 under single, all-1g.10gb\n"
        f"  expected    gpu.deploy.{EVERY}=paused-for-mig-change\n"
        f"              gpu.deploy.{EVERY}=true\n"
        f"  found       gpu.deploy.{EVERY}=paused-for-mig-change\n"
        f"  missing     gpu.deploy.{EVERY}=true"
    )


def test_message_of_deploy_labels_that_do_not_change() -> None:
    assert message_of(check_deploy_labels, state("pending"), state("success")) == (
        "D-05 deploy labels of node sim-0 under single, all-1g.10gb\n"
        f"  expected    gpu.deploy.{EVERY}=paused-for-mig-change\n"
        f"              gpu.deploy.{EVERY}=true\n"
        "  found       nothing\n"
        f"  missing     gpu.deploy.{EVERY}=paused-for-mig-change\n"
        f"              gpu.deploy.{EVERY}=true"
    )


def test_nothing_happens_while_nothing_is_requested() -> None:
    check_idle(context(), [Seen({"nvidia.com/gpu.count": "7"})], "nothing was requested")


@pytest.mark.parametrize("labels", [state("pending"), deploy("true", "dcgm")])
def test_a_change_that_nobody_requested_is_found(labels: Labels) -> None:
    with pytest.raises(ConformanceError, match="no change: the file was edited"):
        check_idle(context(), [Seen(labels)], "the file was edited")
