"""What is read out of a recording: a scenario may tell of mig-manager's own pod, which is on every stand."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping
from typing import Any

import pytest

from conformance.sim.kube import PODS
from conformance.spec import names
from tests.recordings.loader import recorded
from tests.recordings.player import Player
from tests.recordings.scenario import Event, expected, hardware_of, plan_of, pods_of
from tests.recordings.stand import stand

MANAGER = {"kind": "pod", "app": names.MIG_MANAGER_APP}
STARTED: list[Event] = [{**MANAGER, "t": 0.0, "event": "bound"}]
RESTARTED: list[Event] = [
    {**MANAGER, "t": 0.0, "event": "terminating"},
    {**MANAGER, "t": 0.0, "event": "gone"},
    *STARTED,
]


def scenario_with(pods: list[Event]) -> Mapping[str, Any]:
    """A recorded scenario that begins with these events of pods."""
    scenarios = recorded("mig-manager-transitions")["scenarios"]
    scenario: dict[str, Any] = copy.deepcopy(next(each for each in scenarios if each["name"] == "no-label-at-start"))
    scenario["events"] = [*pods, *scenario["events"]]
    return scenario


@pytest.mark.parametrize("pods", [[], STARTED, RESTARTED], ids=["not told", "started", "started again"])
def test_the_pod_of_mig_manager_is_nobody_elses(pods: list[Event]) -> None:
    scenario = scenario_with(pods)
    plan = plan_of(scenario)

    assert (plan.pods, plan.lingering) == ((), {})
    assert names.MIG_MANAGER_APP not in plan.daemon_sets
    assert pods_of(scenario["events"]) == {}


@pytest.mark.parametrize("pods", [STARTED, RESTARTED], ids=["started", "started again"])
def test_a_scenario_that_tells_of_it_is_played_as_any_other(pods: list[Event]) -> None:
    scenario = scenario_with(pods)

    async def play() -> list[str]:
        async with stand(hardware_of(scenario), plan_of(scenario)) as running:
            outcome = await Player(scenario, running).play()
            assert outcome.changes == expected(scenario).changes
            return [pod["metadata"]["name"] for pod in (await running.kube.list(PODS)).items]

    assert asyncio.run(play()).count(names.MIG_MANAGER_APP) == 1


def test_a_pod_of_somebody_else_is_on_the_stand() -> None:
    """One that comes back belongs to a DaemonSet, one that does not is alone."""
    told: list[Event] = [
        {"kind": "pod", "t": 1.0, "app": "client", "event": "terminating"},
        {"kind": "pod", "t": 1.5, "app": "client", "event": "gone"},
        {"kind": "pod", "t": 2.0, "app": "client", "event": "bound"},
        {"kind": "pod", "t": 1.0, "app": "validator", "event": "terminating"},
    ]
    plan = plan_of(scenario_with([*STARTED, *told]))

    assert plan.pods == ("validator",)
    assert plan.daemon_sets["client"] == names.DEPLOY_CLIENT
    assert plan.lingering == {"client": 0.5, "validator": float("inf")}
