"""Steps of a case: the way of its node to the cell, what its scenario did there, and the main moments of both."""

from __future__ import annotations

import time

import pytest

from conformance.spec.names import MIG_CONFIG, MIG_CONFIG_STATE
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import Effect
from conformance.suite.steps import Steps
from tests.suite.made import declared, scenario
from tests.suite.stage import Stage

POD = "pod mig-conformance/tester"


@pytest.fixture
def stage() -> Stage:
    stage = Stage("a", offered=["all-1g.10gb"])
    stage.memory.watch()
    return stage


def act(stage: Stage) -> None:
    """What a scenario sees: requests, an answer, a count, and a pod of the suite."""
    memory = stage.memory
    memory.node("a", {MIG_CONFIG: "all-2g.20gb", MIG_CONFIG_STATE: "pending", "nvidia.com/other": "1"}, gpu=7)
    memory.node("a", {MIG_CONFIG: "all-2g.20gb", MIG_CONFIG_STATE: "success"}, gpu=3)
    memory.pod("tester", namespace="mig-conformance", node="a")


@pytest.mark.parametrize(("effect", "pods"), [(Effect.WORKLOAD, [f"{POD} appeared"]), (Effect.READONLY, [])])
def test_a_scenario_tells_what_it_did_and_saw(stage: Stage, effect: Effect, pods: list[str]) -> None:
    def look(_: NodeInCell) -> str:
        act(stage)
        return "seen"

    case = declared("looks", scenario(effect=effect, look=look))
    stage.play(case)
    (_, spot), *_ = stage.selected(case)
    begun, (way, did) = time.time(), Steps(stage.cluster, stage.execution).of(case, spot)

    assert way.title == "Bring a to single, all-1g.10gb"
    assert did.title[0].isupper()
    told = [step.title for step in did.steps]
    assert told[:2] == [f"{MIG_CONFIG}=all-2g.20gb", f"{MIG_CONFIG_STATE}=pending"]
    assert [text for text in told if text.startswith("pod ")] == pods
    assert not [text for text in told if "other" in text]
    assert did.begun <= did.steps[0].begun <= did.ended <= begun + 1


def test_long_steps_are_cut(stage: Stage) -> None:
    def look(_: NodeInCell) -> str:
        for count in range(20):
            stage.memory.node("a", {MIG_CONFIG_STATE: str(count)}, gpu=7)
        return "seen"

    case = declared("looks", scenario(effect=Effect.WORKLOAD, look=look))
    stage.play(case)
    (_, spot), *_ = stage.selected(case)
    _, did = Steps(stage.cluster, stage.execution).of(case, spot)

    assert len(did.steps) == 13
    assert did.steps[-1].title == "and 8 more, see the timeline of a"


def test_a_case_that_did_not_begin_has_no_steps(stage: Stage) -> None:
    case = declared("looks", scenario(effect=Effect.WORKLOAD))
    (_, spot), *_ = stage.follow(case)

    assert Steps(stage.cluster, stage.execution).of(case, spot) == ()
