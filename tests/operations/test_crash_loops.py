"""A crash loop is judged from what happened to the containers, not from one look."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from conformance.operations.crash_loops import A_FEW, crash_looping
from conformance.spec.names import DCGM_APP, DEVICE_PLUGIN_APP, VALIDATOR_APP
from tests.suite.memory import SHORT, Memory


def operand(memory: Memory, restarts: int, *, ready: bool, app: str = DEVICE_PLUGIN_APP) -> None:
    state = {"name": "main", "restartCount": restarts, "lastState": {"terminated": {"exitCode": 1}}}
    conditions = [{"type": "Ready", "status": str(ready)}]
    memory.pod(app, labels={"app": app}, status={"containerStatuses": [state], "conditions": conditions})


@pytest.fixture
def memory() -> Memory:
    memory = Memory()
    memory.node()
    memory.watch()
    return memory


def loops(memory: Memory, **before: int) -> set[str]:
    return crash_looping(memory.cluster, "sim-0", before, 0)


def test_an_operand_that_runs_is_not_watched(memory: Memory) -> None:
    operand(memory, 0, ready=True)
    operand(memory, 0, ready=False, app=DCGM_APP)

    assert loops(memory) == set()


@pytest.mark.parametrize(("restarts", "ready"), [(1, False), (A_FEW, False), (A_FEW + 1, True)])
def test_a_loop_is_seen_at_once_where_it_is_down_or_was_started_again_often(
    restarts: int, ready: bool, memory: Memory
) -> None:
    operand(memory, 0, ready=True)
    operand(memory, restarts, ready=ready)

    assert loops(memory) == {DEVICE_PLUGIN_APP}


@pytest.mark.parametrize("restarts", range(1, A_FEW + 1))
def test_an_operand_that_was_started_again_and_then_runs_on_is_no_loop(restarts: int, memory: Memory) -> None:
    operand(memory, 0, ready=True)
    operand(memory, restarts, ready=True)

    assert loops(memory) == set()


@pytest.mark.parametrize("restarts", range(1, A_FEW + 1))
@pytest.mark.parametrize("ready", [True, False], ids=["and is Ready again", "and is down"])
def test_one_look_at_a_ready_operand_is_not_enough(restarts: int, ready: bool, memory: Memory) -> None:
    """It was started again a moment ago: whether it ends again is waited for."""
    memory.cluster.limits = replace(SHORT, crash_again=30.0)
    operand(memory, 0, ready=True)
    operand(memory, restarts, ready=True)
    ends = threading.Timer(0.05, lambda: operand(memory, restarts + ready, ready=ready))
    ends.start()

    assert loops(memory) == {DEVICE_PLUGIN_APP}
    ends.join()


def test_restarts_from_before_do_not_count(memory: Memory) -> None:
    operand(memory, 5, ready=True)
    uid = memory.cluster.operands("sim-0")[0].uid

    assert crash_looping(memory.cluster, "sim-0", {uid: 5}, 0) == set()
    operand(memory, 5 + A_FEW, ready=True)
    assert crash_looping(memory.cluster, "sim-0", {uid: 5}, 0) == set()
    operand(memory, 6 + A_FEW, ready=True)
    assert crash_looping(memory.cluster, "sim-0", {uid: 5}, 0) == {DEVICE_PLUGIN_APP}


def test_the_validator_may_wait_for_what_does_not_come(memory: Memory) -> None:
    operand(memory, 9, ready=False, app=VALIDATOR_APP)

    assert loops(memory) == set()
