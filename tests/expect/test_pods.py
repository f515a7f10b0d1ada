"""D-05, D-06, D-20, D-21: pods of operands and of users, and pods that must run or stay Pending."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pytest

from conformance.expect.device_plugin import Refusal
from conformance.expect.finding import ConformanceError
from conformance.expect.operands import (
    RENEWED_APPS,
    apps_to_watch,
    check_operands_kept,
    check_operands_renewed,
    check_operands_run,
    check_plugin_end,
    check_refused_by_plugin,
    check_user_pods,
)
from conformance.expect.scheduling import StartedPod, check_run, check_stays_pending
from conformance.spec.names import DCGM_APP, DEPLOY_PREFIX, DEVICE_PLUGIN_APP, FEATURE_DISCOVERY_APP, VALIDATOR_APP
from tests.expect.made import context, message_of

GPU = "nvidia.com/gpu"


@dataclass(frozen=True)
class Pod:
    """A pod as the timeline records it."""

    started: float | None = None
    ended: float | None = None
    app: str = DEVICE_PLUGIN_APP
    name: str = "x"
    uid: str = "1"
    terminating: float | None = None
    restarts: int = 0
    is_ready: bool | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


OLD, GONE, NEW = Pod(), Pod(ended=2.0), Pod(started=3.0, is_ready=True)


def test_apps_to_watch() -> None:
    pods = [Pod(), Pod(app=FEATURE_DISCOVERY_APP), Pod(app="user"), Pod(app=DCGM_APP, started=1.0)]

    assert apps_to_watch(pods, {}) == (DEVICE_PLUGIN_APP, FEATURE_DISCOVERY_APP)
    assert apps_to_watch(pods, {DEPLOY_PREFIX + "device-plugin": "false"}) == (FEATURE_DISCOVERY_APP,)
    assert len(RENEWED_APPS) == 5


def test_the_pod_of_the_validator_must_be_replaced_too() -> None:
    pods = [Pod(app=VALIDATOR_APP), Pod(app=DCGM_APP)]

    assert apps_to_watch(pods, {}) == (DCGM_APP, VALIDATOR_APP)
    assert "nvidia-operator-validator: old pod still there" in message_of(
        lambda: check_operands_renewed(context(), pods, [VALIDATOR_APP])
    )


@pytest.mark.parametrize(
    "pods", [[GONE, NEW], [Pod(ended=3.0), NEW], [GONE, Pod(started=3.0, is_ready=True, restarts=1)], [NEW]]
)
def test_renewed_operands_pass(pods: list[Pod]) -> None:
    check_operands_renewed(context(), pods, [DEVICE_PLUGIN_APP])


@pytest.mark.parametrize(
    ("pods", "history"),
    [
        ([OLD], "old pod still there"),
        ([OLD, NEW], "old pod still there, and 1 new"),
        ([GONE], "old pod gone, then no new pod"),
        ([GONE, NEW, Pod(started=4.0)], "old pod gone, then 2 new pods"),
        ([GONE, Pod(started=2.5, ended=2.6), NEW], "old pod gone, then 2 new pods, 1 left"),
        ([GONE, Pod(started=1.0)], "one new pod before the old one was gone"),
        ([GONE, Pod(started=3.0)], "old pod gone, then one new pod, which is not Ready"),
        ([GONE, Pod(started=3.0, is_ready=False)], "old pod gone, then one new pod, which is not Ready"),
        (
            [GONE, Pod(started=3.0, is_ready=True, terminating=4.0)],
            "old pod gone, then one new pod, which is terminating",
        ),
        ([GONE, Pod(started=3.0, ended=4.0)], "old pod gone, then one new pod, which is gone"),
    ],
)
def test_other_histories_fail(pods: list[Pod], history: str) -> None:
    assert message_of(lambda: check_operands_renewed(context(requirement="D-05"), pods, [DEVICE_PLUGIN_APP])) == (
        "D-05 operand pods of node sim-0 under single, all-1g.10gb\n"
        "  expected    nvidia-device-plugin-daemonset: old pod gone, then one new pod\n"
        f"  found       nvidia-device-plugin-daemonset: {history}"
    )


def test_an_operand_that_may_wait_need_not_be_ready() -> None:
    waiting = [GONE, Pod(started=3.0, is_ready=False)]

    check_operands_renewed(context(), waiting, [DEVICE_PLUGIN_APP], [DEVICE_PLUGIN_APP])
    check_operands_kept(context(), [Pod(restarts=3, is_ready=False)], [DEVICE_PLUGIN_APP], [DEVICE_PLUGIN_APP])
    for pods in ([OLD], [GONE], [GONE, Pod(started=3.0, terminating=4.0)]):
        with pytest.raises(ConformanceError):
            check_operands_renewed(context(), pods, [DEVICE_PLUGIN_APP], [DEVICE_PLUGIN_APP])


@pytest.mark.parametrize(
    ("pod", "history"),
    [
        (Pod(restarts=1, is_ready=True), "old pod still there, restarted 1 times"),
        (Pod(is_ready=False), "old pod still there, which is not Ready"),
        (Pod(terminating=1.0), "old pod still there, which is terminating"),
    ],
)
def test_a_pod_that_is_disturbed_is_not_kept(pod: Pod, history: str) -> None:
    assert f"found       nvidia-device-plugin-daemonset: {history}" in message_of(
        lambda: check_operands_kept(context(), [pod], [DEVICE_PLUGIN_APP])
    )


def test_every_app_is_looked_at() -> None:
    wrong = Pod(app=DCGM_APP)

    assert "found       nvidia-dcgm: old pod still there" in message_of(
        lambda: check_operands_renewed(context(), [GONE, NEW, wrong], [DEVICE_PLUGIN_APP, DCGM_APP])
    )


def test_operands_are_kept_without_a_change() -> None:
    check_operands_kept(context(), [OLD], [DEVICE_PLUGIN_APP])

    assert message_of(lambda: check_operands_kept(context(requirement="D-05"), [GONE, NEW], [DEVICE_PLUGIN_APP])) == (
        "D-05 operand pods of node sim-0 under single, all-1g.10gb\n"
        "  expected    nvidia-device-plugin-daemonset: old pod still there\n"
        "  found       nvidia-device-plugin-daemonset: old pod gone, then one new pod"
    )


def test_user_pods() -> None:
    check_user_pods(context(), {"train": "1"}, [Pod(uid="1"), Pod(uid="3", ended=1.0)])

    pods = [Pod(uid="1", restarts=2), Pod(uid="2", ended=1.0), Pod(uid="9", name="serve", started=2.0)]
    assert message_of(lambda: check_user_pods(context(requirement="D-05"), {"train": "1", "serve": "2"}, pods)) == (
        "D-05 pods of users of node sim-0 under single, all-1g.10gb\n"
        "  expected    serve: old pod still there\n"
        "              train: old pod still there\n"
        "  found       serve: old pod gone, then no new pod\n"
        "              train: old pod still there, restarted 2 times\n"
        "  likely      mig-manager must not touch pods of users"
    )


def test_only_apps_that_may_crash_may_crash() -> None:
    check_operands_run(context(), [])
    check_operands_run(context(), [DEVICE_PLUGIN_APP], [DEVICE_PLUGIN_APP])

    assert message_of(
        lambda: check_operands_run(context(requirement="D-05"), [DCGM_APP, DEVICE_PLUGIN_APP], [DEVICE_PLUGIN_APP])
    ) == (
        "D-05 operand pods of node sim-0 under single, all-1g.10gb\n"
        "  expected    every operand runs\n"
        "  found       nvidia-dcgm: crash-loops"
    )


LOG = "main.go:198] error starting plugins: more than one MIG device type present on node\n"


@pytest.mark.parametrize("log", [LOG, ""])
def test_the_plugin_refuses(log: str) -> None:
    check_refused_by_plugin(context(), 1, 2, log, Refusal.UNLIKE_DEVICES)


@pytest.mark.parametrize(
    ("exit_code", "restarts", "log", "found"),
    [
        (None, 0, LOG, "  found       exit code None, 0 restarts"),
        (0, 1, LOG, "  found       exit code 0, 1 restarts"),
        (1, 0, LOG, "  found       exit code 1, 0 restarts"),
        (1, 1, "other\n", "  found       exit code 1, 1 restarts\n              other"),
    ],
)
def test_the_plugin_does_not_refuse(exit_code: int | None, restarts: int, log: str, found: str) -> None:
    message = message_of(
        lambda: check_refused_by_plugin(context("all-balanced"), exit_code, restarts, log, Refusal.UNLIKE_DEVICES)
    )

    assert message.startswith(
        "D-01 device plugin of node sim-0 under single, all-balanced\n"
        "  expected    exit code 1 and at least 1 restart\n"
        "              log: more than one MIG device type\n"
    )
    assert found in message


EMPTY_CDI = "failed to write spec: invalid CDI Spec: invalid spec, no devices"


@pytest.mark.parametrize(
    ("exit_code", "restarts", "log", "refusal"),
    [
        (1, 2, EMPTY_CDI, Refusal.EMPTY_CDI),
        (1, 2, "", Refusal.EMPTY_CDI),
        (None, 0, "", Refusal.EMPTY_CDI),
        (None, 0, "", ""),
    ],
    ids=["it ended for that reason", "its log cannot be read", "it waits", "it has devices"],
)
def test_a_plugin_without_devices_may_end_and_may_wait(
    exit_code: int | None, restarts: int, log: str, refusal: str
) -> None:
    check_plugin_end(context(), exit_code, restarts, log, refusal)


def test_a_plugin_that_ended_is_noticed_before_it_starts_again() -> None:
    message = message_of(lambda: check_plugin_end(context(), 2, 0, "out of memory\n", Refusal.EMPTY_CDI))

    assert "  found       exit code 2, 0 restarts\n" in message


@pytest.mark.parametrize(("exit_code", "log"), [(2, EMPTY_CDI), (0, EMPTY_CDI), (1, "out of memory\n")])
def test_a_plugin_that_ended_for_another_reason_is_noticed(exit_code: int, log: str) -> None:
    message = message_of(lambda: check_plugin_end(context(), exit_code, 1, log, Refusal.EMPTY_CDI))

    assert "              log: invalid CDI Spec: invalid spec, no devices\n" in message
    assert f"  found       exit code {exit_code}, 1 restarts\n" in message


SCHEDULER = "0/1 nodes are available: 1 Insufficient {}. preemption: 0/1 nodes are available: 1 No preemption victims."


@pytest.mark.parametrize("resource", [GPU, "nvidia.com/mig-1g.10gb", "nvidia.com/mig-1g.10gb.me"])
def test_stays_pending(resource: str) -> None:
    check_stays_pending(context(), StartedPod("p", "Pending", None, SCHEDULER.format(resource)), resource)
    several = (
        f"0/3 nodes are available: 1 Insufficient memory, 1 Insufficient {resource}, 2 node(s) were unschedulable."
    )
    check_stays_pending(context(), StartedPod("p", "Pending", None, several), resource)


@pytest.mark.parametrize(
    "pod",
    [
        StartedPod("p", "Running", "sim-0", ""),
        StartedPod("p", "Pending", "sim-0", SCHEDULER.format(GPU)),
        StartedPod("p", "Pending", None, ""),
        StartedPod("p", "Pending", None, "0/2 nodes are available"),
        StartedPod("p", "Pending", None, SCHEDULER.format("nvidia.com/gpu.shared")),
        StartedPod("p", "Pending", None, SCHEDULER.format(GPU).replace("1 Insuff", "2 Insuff")),
        StartedPod("p", "Pending", None, SCHEDULER.format(GPU).replace("0/1", "1/1")),
    ],
    ids=["runs", "bound", "no message", "no reason", "other resource", "of other nodes", "a node is available"],
)
def test_does_not_stay_pending(pod: StartedPod) -> None:
    with pytest.raises(ConformanceError, match=r"scheduler: 0 nodes available, 1 Insufficient nvidia\.com/gpu"):
        check_stays_pending(context(), pod, GPU)


def test_message_of_a_pod_that_runs() -> None:
    pod = StartedPod("asks-for-gpu", "Running", "sim-0", "")

    assert message_of(lambda: check_stays_pending(context(requirement="D-21"), pod, GPU)) == (
        "D-21 pod asks-for-gpu of node sim-0 under single, all-1g.10gb\n"
        "  expected    Pending on no node\n"
        "              scheduler: 0 nodes available, 1 Insufficient nvidia.com/gpu\n"
        "  found       Running on sim-0\n"
        "              kubelet: no message"
    )


def test_running_pods_pass() -> None:
    check_run(context(), [])
    check_run(context(), [StartedPod("a", "Running", "sim-0", ""), StartedPod("b", "Running", "sim-0", "")])


@pytest.mark.parametrize(
    ("pod", "found"),
    [
        (StartedPod("b", "Pending", None, "no room"), "Pending on no node\n              scheduler: no room"),
        (StartedPod("b", "Pending", None, ""), "Pending on no node\n              scheduler: no message"),
        (
            StartedPod("b", "Failed", "sim-0", "Allocate failed"),
            "Failed on sim-0\n              kubelet: Allocate failed",
        ),
        (StartedPod("b", "Pending", "sim-0", ""), "Pending on sim-0\n              kubelet: no message"),
        (StartedPod("b", "Succeeded", "sim-0", ""), "Succeeded on sim-0\n              kubelet: no message"),
        (StartedPod("b", "Unknown", "sim-0", ""), "Unknown on sim-0\n              kubelet: no message"),
    ],
)
def test_message_of_a_pod_that_does_not_run(pod: StartedPod, found: str) -> None:
    others = [StartedPod("a", "Running", "sim-0", "")]

    assert message_of(lambda: check_run(context(requirement="D-20"), [*others, pod])) == (
        f"D-20 pod b of node sim-0 under single, all-1g.10gb\n  expected    Running\n  found       {found}"
    )
