"""When the operator calls its operands and the ClusterPolicy ready."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.sim.operator.status import conditions, is_daemon_set_ready, same_conditions, with_times


def daemon_set(*, kind: str = "RollingUpdate", generation: int = 2, **status: int) -> dict[str, Any]:
    rolled_out = {
        "desiredNumberScheduled": 2,
        "updatedNumberScheduled": 2,
        "numberAvailable": 2,
        "observedGeneration": 2,
    }
    return {
        "metadata": {"generation": generation},
        "spec": {"updateStrategy": {"type": kind}},
        "status": rolled_out | status,
    }


@pytest.mark.parametrize("by_generation", [True, False])
def test_rolled_out_or_unwanted_is_ready_in_every_release(by_generation: bool) -> None:
    assert is_daemon_set_ready(daemon_set(), by_generation=by_generation)
    assert is_daemon_set_ready(daemon_set(desiredNumberScheduled=0), by_generation=by_generation)


@pytest.mark.parametrize("by_generation", [True, False])
def test_an_unavailable_pod_is_never_ready(by_generation: bool) -> None:
    assert not is_daemon_set_ready(daemon_set(numberUnavailable=1), by_generation=by_generation)


@pytest.mark.parametrize("change", [{"generation": 3}, {"updatedNumberScheduled": 1}, {"numberAvailable": 1}])
def test_before_v26_7_a_roll_that_has_not_begun_looks_ready(change: dict[str, Any]) -> None:
    changed = daemon_set(**change)

    assert is_daemon_set_ready(changed, by_generation=False)
    assert not is_daemon_set_ready(changed, by_generation=True)


def test_on_delete_needs_pods_of_the_present_template() -> None:
    assert is_daemon_set_ready(daemon_set(kind="OnDelete", generation=3), by_generation=True)
    assert not is_daemon_set_ready(daemon_set(kind="OnDelete", updatedNumberScheduled=1), by_generation=True)


def test_a_daemon_set_without_status_is_ready_as_it_wants_nothing_yet() -> None:
    assert is_daemon_set_ready({"metadata": {"generation": 1}}, by_generation=True)


def test_conditions_name_the_states_that_lag() -> None:
    ready, error = conditions(["state-device-plugin", "state-mig-manager"], found_features=True, gpu_nodes=2)

    assert (ready["status"], error["status"], error["reason"]) == ("False", "True", "OperandNotReady")
    assert "[state-device-plugin state-mig-manager]" in error["message"]


@pytest.mark.parametrize(
    ("found_features", "gpu_nodes", "reason"),
    [(True, 2, "Reconciled"), (True, 0, "NoGPUNodes"), (False, 0, "NFDLabelsMissing")],
)
def test_reasons_of_readiness(found_features: bool, gpu_nodes: int, reason: str) -> None:
    ready, error = conditions([], found_features=found_features, gpu_nodes=gpu_nodes)

    assert (ready["status"], ready["reason"], error["status"]) == ("True", reason, "False")


def test_transition_times_move_only_with_the_status() -> None:
    first = with_times(conditions([], found_features=True, gpu_nodes=0), [], "then")
    second = with_times(conditions([], found_features=True, gpu_nodes=2), first, "now")
    third = with_times(conditions(["state-dcgm"], found_features=True, gpu_nodes=2), second, "now")

    assert [item["lastTransitionTime"] for item in second] == ["then", "then"]
    assert [item["lastTransitionTime"] for item in third] == ["now", "now"]
    assert same_conditions(conditions([], found_features=True, gpu_nodes=2), second)
    assert not same_conditions(conditions([], found_features=True, gpu_nodes=2), first)
