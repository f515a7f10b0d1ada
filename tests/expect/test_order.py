"""D-02, D-05: the order of mig-manager's steps, by its log, and by pods and labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from conformance.expect.finding import ConformanceError
from conformance.expect.order import check_pods_and_labels, check_steps
from conformance.spec.names import DCGM_APP, DEPLOY_PREFIX, DEVICE_PLUGIN_APP, MIG_CONFIG_STATE, PAUSED, VALIDATOR_APP
from tests.expect.made import context

LOG = [
    'msg="Shutting down all GPU clients in Kubernetes by disabling their component-specific nodeSelector labels"',
    'msg="Waiting for the device-plugin to shutdown"',
    'msg="Waiting for gpu-feature-discovery to shutdown"',
    'msg="Waiting for dcgm-exporter to shutdown"',
    'msg="Waiting for dcgm to shutdown"',
    'msg="Applying the MIG mode change from the selected config to the node (and double checking it took effect)"',
    'msg="Applying the selected MIG config to the node"',
    'msg="Restarting validator pod to re-run all validations"',
    'msg="Restarting all GPU clients previously shutdown in Kubernetes by reenabling their nodeSelector labels"',
    f"msg=\"Changing the '{MIG_CONFIG_STATE}' node label to 'success'\\n\"",
]
PLUGIN = DEPLOY_PREFIX + "device-plugin"


APPLIES, SUCCEEDS = LOG[6], LOG[-1]


@pytest.mark.parametrize(
    "log",
    [
        [],
        LOG,
        [SUCCEEDS],
        [APPLIES],
        ["other", *LOG[:2], "other", *LOG[2:]],
        [line.removeprefix("msg=") for line in (*LOG[:2], *LOG[5:])],
    ],
)
def test_logs_that_pass(log: list[str]) -> None:
    check_steps(context(), log)


@pytest.mark.parametrize("at", range(len(LOG) - 1))
def test_a_step_before_the_one_that_must_come_first(at: int) -> None:
    swapped = [*LOG[:at], LOG[at + 1], LOG[at], *LOG[at + 2 :]]

    with pytest.raises(ConformanceError, match="log of mig-manager"):
        check_steps(context(), swapped)


def test_a_step_that_is_made_twice() -> None:
    for log in ([APPLIES, *LOG], [*LOG[:7], APPLIES, *LOG[7:]]):
        with pytest.raises(ConformanceError):
            check_steps(context(), log)


@pytest.mark.parametrize("at", range(1, len(LOG) - 1))
def test_a_step_that_is_left_out(at: int) -> None:
    with pytest.raises(ConformanceError) as failed:
        check_steps(context(), [*LOG[:at], *LOG[at + 1 :]])
    assert "\n  missing     " in str(failed.value)


def test_message_of_a_success_before_the_gpus_were_changed() -> None:
    with pytest.raises(ConformanceError) as failed:
        check_steps(context(requirement="D-02"), ["other", SUCCEEDS, "other", APPLIES])

    assert str(failed.value) == (
        "D-02 log of mig-manager of node sim-0 under single, all-1g.10gb\n"
        "  expected    applies the configuration, then writes success\n"
        f"  found       writes success: {SUCCEEDS}\n"
        f"              applies the configuration: {APPLIES}"
    )


@dataclass(frozen=True)
class Pod:
    """A pod as the timeline records it."""

    app: str
    stopped: str = "20"
    gone: str = "30"
    started: float | None = None
    ended: float | None = 1.0
    terminating: float | None = 1.0
    restarts: int = 0
    is_ready: bool | None = None
    name: str = "x"
    uid: str = "1"

    @property
    def versions(self) -> Mapping[str, str]:
        return {"terminating": self.stopped, "gone": self.gone}


@dataclass(frozen=True)
class Seen:
    """One event of the watch."""

    version: str
    set: Mapping[str, str]
    time: float = 0.0
    removed: Sequence[str] = field(default_factory=tuple)


CHANGES = [
    Seen("9", {PLUGIN: "true"}),
    Seen("10", {MIG_CONFIG_STATE: "pending"}),
    Seen("11", {PLUGIN: PAUSED}),
    Seen("100", {PLUGIN: "true"}),
    Seen("101", {MIG_CONFIG_STATE: "success"}),
]
APPS = [DEVICE_PLUGIN_APP, DCGM_APP, VALIDATOR_APP]
VALIDATOR = Pod(VALIDATOR_APP, stopped="90", gone="120")
PODS = [Pod(DEVICE_PLUGIN_APP), Pod(DCGM_APP, stopped="21", gone="89"), VALIDATOR]


def test_operands_that_are_gone_meanwhile_pass() -> None:
    check_pods_and_labels(context(), PODS, CHANGES, APPS)
    check_pods_and_labels(context(), [*PODS, Pod("driver", stopped="1", gone="2")], CHANGES, APPS)
    check_pods_and_labels(context(), [*PODS, Pod(DCGM_APP, started=5.0, ended=None)], CHANGES, APPS)
    check_pods_and_labels(context(), [Pod(DEVICE_PLUGIN_APP, stopped="", gone="")], CHANGES, APPS)


def test_without_a_pause_there_is_no_order() -> None:
    late = [Pod(DEVICE_PLUGIN_APP, stopped="1", gone="500")]

    for changes in ([], CHANGES[:2], CHANGES[:3], CHANGES[3:]):
        check_pods_and_labels(context(), late, changes, APPS)


@pytest.mark.parametrize(
    ("pod", "found"),
    [
        (Pod(DEVICE_PLUGIN_APP, stopped="10"), "stopped before its deploy label was paused"),
        (Pod(DCGM_APP, ended=None, gone=""), "still there when its deploy label came back"),
        (Pod(VALIDATOR_APP, stopped="101"), "stopped after the deploy labels were back"),
        (Pod(VALIDATOR_APP, stopped="50"), "stopped while nvidia-dcgm was still there"),
    ],
)
def test_an_operand_out_of_order(pod: Pod, found: str) -> None:
    pods = [pod, *(each for each in PODS if each.app != pod.app)]

    with pytest.raises(ConformanceError) as failed:
        check_pods_and_labels(context(requirement="D-05"), pods, CHANGES, APPS)
    assert str(failed.value) == (
        "D-05 order of pods and labels of node sim-0 under single, all-1g.10gb\n"
        "  expected    operands stop after their deploy labels are paused, and are gone before these are back\n"
        "              nvidia-operator-validator is stopped in between, once they are gone\n"
        f"  found       {pod.app}: {found}"
    )


def test_several_operands_out_of_order() -> None:
    pods = [Pod(DEVICE_PLUGIN_APP, stopped="5", gone="102"), VALIDATOR]

    with pytest.raises(ConformanceError) as failed:
        check_pods_and_labels(context(), pods, CHANGES, APPS)
    assert str(failed.value).partition("found")[2].splitlines() == [
        "       nvidia-device-plugin-daemonset: stopped before its deploy label was paused",
        "              nvidia-device-plugin-daemonset: still there when its deploy label came back",
        "              nvidia-operator-validator: stopped while nvidia-device-plugin-daemonset was still there",
    ]
