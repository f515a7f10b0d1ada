"""A plan is carried out with each thing done once, and every case is told what it must know."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import pytest

from conformance.backends.backend import READ_ONLY
from conformance.cluster import paths
from conformance.cluster.errors import ClusterError, UnreachableError
from conformance.expect.geometry import wanted_geometry
from conformance.expect.kinds import GeometryKind
from conformance.operations.errors import ForeignChangeError, LeaseHeldError
from conformance.operations.evidence import Outcome
from conformance.report.model import Case
from conformance.report.model import Outcome as CaseOutcome
from conformance.spec.mig_parted import Entry, parse
from conformance.spec.names import Strategy
from conformance.suite import execution
from conformance.suite.agenda import Agenda, Stop
from conformance.suite.cells import Spot, cells
from conformance.suite.execution import BlockedError, CanaryFailedError, DoesNotApplyError
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import AnyScenario, Effect, Leaves, Moment, Needs
from conformance.suite.visit import unmet
from tests.expect.made import SEVEN, gpu
from tests.suite.made import DISRUPTIVE, cell, declared, scenario
from tests.suite.nodes import arrival, node_in, strategy_change
from tests.suite.stage import Stage, identify

SINGLE = cells(strategies=[Strategy.SINGLE])
ONE, OTHER = "single-all-1g.10gb", "single-all-2g.20gb"
ENDS = [ForeignChangeError("somebody else"), LeaseHeldError("taken over"), UnreachableError("no answer")]


def name_of(node: NodeInCell) -> str:
    return f"{node.name} in {node.cell}"


def looking(stage: Stage, name: str = "Look", **more: Any) -> AnyScenario:
    """A scenario that gives where it was done."""
    return scenario(name, stage.done, **{"look": name_of} | more)


# Every stop, once ---------------------------------------------------------------------------------------------------


def test_a_stop_is_entered_once_for_all_cases_and_nodes() -> None:
    stage = Stage("a", "b", permissions=DISRUPTIVE)
    first, second = looking(stage, "First"), looking(stage, "Second")
    answers = stage.play(declared("x", first), declared("y", first), declared("z", second))

    assert len(answers) == 3 * 2 * 2
    assert all(
        answer == key.partition("[")[2][-2] + " in " + key.partition("[")[2][:-3] for key, answer in answers.items()
    )
    assert sorted(stage.steps("bring")) == sorted(f"bring {node} to {at}" for node in "ab" for at in (ONE, OTHER))
    assert stage.steps("keep") == ["keep a", "keep b"] * 2
    assert (stage.run.made, stage.run.asked, stage.run.visited) == (2, {ONE, OTHER}, [ONE, OTHER])


def test_scenarios_of_a_cell_are_done_once_for_all_cases_and_start_together() -> None:
    stage = Stage("a", permissions=DISRUPTIVE, configurations=("all-1g.10gb",))
    first, second = looking(stage, "First"), looking(stage, "Second")
    stage.play(*(declared(name, scenario) for name in "xy" for scenario in (first, second)))

    assert stage.done == [
        "keep a",
        f"bring a to {ONE}",
        "start First a",
        "start Second a",
        f"read a in {ONE}",
        "observe First a",
        "observe Second a",
    ]


def test_what_must_have_the_node_for_itself_comes_alone_and_last() -> None:
    stage = Stage("a", permissions=DISRUPTIVE, configurations=("all-1g.10gb",))
    alone, other, together = (
        looking(stage, "Alone", exclusive=True), looking(stage, "Other", exclusive=True), looking(stage, "Together"),
    )  # fmt: skip
    stage.play(declared("x", alone), declared("o", other), declared("y", together))

    assert stage.steps("start", "observe") == [
        "start Together a", "observe Together a",
        "start Alone a", "observe Alone a", "start Other a", "observe Other a",
    ]  # fmt: skip


def test_what_leaves_the_cell_comes_after_what_needs_it() -> None:
    stage = Stage("a", permissions=DISRUPTIVE, configurations=("all-1g.10gb",))
    leaving = looking(stage, "Leaving", exclusive=True, leaves=Leaves(same_cell=False))
    staying = looking(stage, "Staying", exclusive=True)
    stage.play(declared("x", leaving), declared("y", staying))

    assert stage.steps("start") == ["start Staying a", "start Leaving a"]


def test_a_stay_ends_before_the_first_scenario_that_changes_the_node() -> None:
    stage = Stage("a", permissions=DISRUPTIVE, configurations=("all-1g.10gb",))
    stay = looking(stage, "Stay", moment=Moment.WHEN_LEFT)
    alone = looking(stage, "Alone", exclusive=True, effect=Effect.WORKLOAD)
    breaking = looking(stage, "Breaking", exclusive=True, effect=Effect.DISRUPTIVE)
    stage.play(declared("x", stay, SINGLE), declared("y", breaking, SINGLE), declared("z", alone, SINGLE))

    assert stage.steps("observe", "return", "forget") == [
        f"return a to {ONE}", "observe Alone a",
        f"return a to {ONE}", "observe Stay a", "observe Breaking a", "forget a",
    ]  # fmt: skip


def test_what_changes_the_cluster_is_done_once_for_all_nodes_and_taken_back() -> None:
    stage = Stage("a", "b", configurations=("all-1g.10gb",))
    case = declared("x", looking(stage, "All", cluster_wide=True, exclusive=True), cells(once=True))
    answers = stage.play(case)

    assert sorted(answers.values()) == [f"a in {ONE}", f"b in {ONE}"]
    steps = [step.split()[0] for step in stage.steps("start", "change", "observe", "undo", "settle")]
    assert steps == ["start", "start", "change", "observe", "observe", "undo", "settle", "settle"]


def test_nodes_of_a_wave_are_worked_on_at_the_same_time() -> None:
    """Each node's look waits for all others': one after another they would wait for ever."""
    stage = Stage("a", "b", "c", permissions=DISRUPTIVE, configurations=("all-1g.10gb",))
    together = threading.Barrier(3)
    case = declared("x", looking(stage, look=lambda node: together.wait(timeout=5) + 1 and node.name))

    assert set(stage.play(case).values()) == {"a", "b", "c"}


def test_what_no_case_looks_at_is_not_done() -> None:
    stage = Stage("a", "b", permissions=DISRUPTIVE)
    case = declared("x", looking(stage))
    spot = Spot(cell(OTHER), "b")
    stage.execution.follow(Agenda.of([(identify(case, spot), case, spot)]))
    stage.ask(case, spot)

    assert stage.steps("bring") == [f"bring b to {OTHER}"]
    assert stage.run.visited == [OTHER]


def test_a_node_that_is_only_read_is_looked_at_where_it_was_found() -> None:
    stage = Stage("a", permissions=READ_ONLY, found={"a": ONE})
    case = declared("x", looking(stage))

    assert stage.play(case) == {f"x[{ONE}-a]": f"a in {ONE}"}
    assert stage.done == [f"find a in {ONE}", "start Look a", "observe Look a"]
    assert (stage.run.made, stage.run.visited, stage.told) == (0, [], [])


def test_the_strategy_is_changed_when_its_first_cell_comes() -> None:
    stage = Stage("a", configurations=("all-1g.10gb",))
    stage.play(declared("x", looking(stage)))

    assert stage.steps("bring", "strategy") == [
        f"bring a to {ONE}", "strategy mixed", "bring a to mixed-all-1g.10gb",
    ]  # fmt: skip


def test_waves_come_one_after_another() -> None:
    stage = Stage("a", "b", "c", permissions=DISRUPTIVE, max_unavailable="2", configurations=("all-1g.10gb",))
    stage.play(declared("x", looking(stage)))

    assert stage.steps("keep") == ["keep a", "keep b", "keep c"]
    assert stage.run.visited == [ONE, f"{ONE} wave 2"]


def test_progress_counts_states() -> None:
    stage = Stage("a", permissions=DISRUPTIVE)
    stage.play(declared("x", looking(stage)))

    assert stage.told == [(1, 2, ONE), (2, 2, OTHER)]


def test_evidence_is_given_with_what_the_node_must_show_under_the_requirements_of_the_case() -> None:
    stage = Stage("a", permissions=DISRUPTIVE, configurations=("all-1g.10gb",))
    scenario = looking(stage)
    stage.follow(
        declared("x", scenario, requirements=("D-06",)), other := declared("y", scenario, requirements=("D-07",))
    )
    expected, _ = stage.ask(other, Spot(cell(ONE), "a"))

    assert str(expected.context) == "node a under single, all-1g.10gb"
    assert expected.context.requirements == ("D-07",)
    assert dict(expected.resources) == {"nvidia.com/gpu": 7}


# Nodes that do not arrive -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.REFUSED, Outcome.UNANSWERED])
def test_a_node_that_does_not_reach_its_cell_blocks_every_case_but_the_one_that_tells(outcome: Outcome) -> None:
    stage = Stage("a", "b", permissions=DISRUPTIVE, configurations=("all-1g.10gb",))
    stage.outcomes["b"] = outcome
    scenarios = {
        moment: looking(stage, moment.name, moment=moment)
        for moment in (Moment.IN_CELL, Moment.WHEN_LEFT, Moment.AT_END)
    }
    cases = [declared(moment.name, made) for moment, made in scenarios.items()]
    answers = stage.play(declared("arrives", looking(stage, "Arrive"), tells_arrival=True), *cases)

    assert answers[f"arrives[{ONE}-a]"] == f"a in {ONE}"
    assert answers[f"arrives[{ONE}-b]"] == f"b in {ONE}"
    for case in cases:
        assert answers[f"{case.name}[{ONE}-a]"] == f"a in {ONE}"
        told = answers[f"{case.name}[{ONE}-b]"]
        assert isinstance(told, BlockedError)
        assert str(told) == (f"blocked by arrives[{ONE}-b]: node b did not reach {ONE}: mig-manager said: {outcome}")
    looked = [step for step in stage.steps("start", "observe") if step.endswith(" b")]
    assert looked == ["start Arrive b", "observe Arrive b"]


def test_a_node_that_has_the_configuration_already_did_reach_it() -> None:
    stage = Stage("a", permissions=DISRUPTIVE, configurations=("all-1g.10gb",))
    stage.outcomes["a"] = Outcome.KEPT

    assert stage.play(declared("x", looking(stage))) == {f"x[{ONE}-a]": f"a in {ONE}"}


def test_where_nobody_tells_of_the_arrival_the_case_is_blocked_all_the_same() -> None:
    stage = Stage("a", permissions=DISRUPTIVE, configurations=("all-1g.10gb",))
    stage.outcomes["a"] = Outcome.FAILED

    (told,) = stage.play(declared("x", looking(stage))).values()

    assert isinstance(told, BlockedError)
    assert "not selected" in str(told)


def test_the_arrival_is_told_by_the_case_of_the_same_node_and_cell() -> None:
    stage = Stage("a", "b", permissions=DISRUPTIVE)
    stage.outcomes = {"a": Outcome.FAILED, "b": Outcome.FAILED}
    answers = stage.play(
        declared("arrives", looking(stage, "Arrive"), tells_arrival=True), declared("x", looking(stage))
    )

    for node in "ab":
        for at in (ONE, OTHER):
            assert f"blocked by arrives[{at}-{node}]: " in str(answers[f"x[{at}-{node}]"])


# Errors -------------------------------------------------------------------------------------------------------------


def breaks(error: Exception) -> Any:
    def act(_: NodeInCell) -> Any:
        raise error

    return act


@pytest.mark.parametrize("step", ["begin", "look"])
@pytest.mark.parametrize("moment", [Moment.IN_CELL, Moment.WHEN_LEFT, Moment.AT_END])
def test_a_scenario_that_breaks_is_told_by_the_first_case_and_blocks_the_others(step: str, moment: Moment) -> None:
    stage = Stage("a", permissions=DISRUPTIVE, configurations=("all-1g.10gb",))
    error = ClusterError("the pod does not start")
    broken = looking(stage, "Broken", moment=moment, **{step: breaks(error)})
    whole = declared("whole", looking(stage, moment=moment))
    answers = stage.play(declared("x", broken), declared("y", broken), declared("z", broken), whole)

    assert answers[f"x[{ONE}-a]"] is error
    for name in "yz":
        told = answers[f"{name}[{ONE}-a]"]
        assert isinstance(told, BlockedError)
        assert str(told) == f"blocked by x[{ONE}-a]: the pod does not start"
    assert answers[f"whole[{ONE}-a]"] == f"a in {ONE}"
    assert stage.done.count("start Broken a") == 1
    assert stage.done.count("observe Broken a") == (1 if step == "look" else 0)


def test_an_error_of_the_suite_itself_is_told_as_it_is() -> None:
    stage = Stage("a", permissions=DISRUPTIVE, configurations=("all-1g.10gb",))
    error = ZeroDivisionError("a mistake of ours")

    assert list(stage.play(declared("x", looking(stage, look=breaks(error)))).values()) == [error]


def test_a_node_that_breaks_on_the_way_leaves_the_others_alone() -> None:
    stage = Stage("a", "b", permissions=DISRUPTIVE, configurations=("all-1g.10gb",))
    stage.failures[f"bring b to {ONE}"] = error = ClusterError("no pod of mig-manager")
    answers = stage.play(declared("x", looking(stage)), declared("y", looking(stage)))

    assert [answers[f"{name}[{ONE}-a]"] for name in "xy"] == [f"a in {ONE}"] * 2
    assert answers[f"x[{ONE}-b]"] is error
    assert str(answers[f"y[{ONE}-b]"]) == f"blocked by x[{ONE}-b]: no pod of mig-manager"


def test_pods_of_a_node_are_removed_where_its_look_breaks() -> None:
    stage = Stage("a", permissions=DISRUPTIVE, configurations=("all-1g.10gb",))
    stage.failures[f"read a in {ONE}"] = ClusterError("unreadable")
    case = declared("x", looking(stage, begin=lambda node: node.workloads.start("nvidia.com/gpu")))
    stage.play(case)

    assert [request for request in stage.memory.requests if request.startswith("DELETE")]
    assert stage.cluster.pods(namespace="mig-conformance") == []


def test_a_stop_that_cannot_be_entered_is_told_once_and_not_tried_again() -> None:
    stage = Stage("a", permissions=DISRUPTIVE)
    stage.failures["keep a"] = error = ClusterError("nodes are in use")
    answers = stage.play(declared("x", looking(stage)), declared("y", looking(stage)))

    assert stage.steps("keep") == ["keep a", "keep a"]
    for at in (ONE, OTHER):
        assert answers[f"x[{at}-a]"] is error
        assert str(answers[f"y[{at}-a]"]) == f"blocked by x[{at}-a]: nodes are in use"


def test_after_a_stop_that_cannot_be_entered_the_next_one_is_tried() -> None:
    stage = Stage("a", permissions=DISRUPTIVE)
    stage.failures[f"bring a to {ONE}"] = ClusterError("a hiccup")

    assert stage.play(declared("x", looking(stage)))[f"x[{OTHER}-a]"] == f"a in {OTHER}"


@pytest.mark.parametrize("error", ENDS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("step", ["keep a", f"bring a to {ONE}", f"read a in {ONE}"])
def test_where_nothing_more_can_be_said_of_the_cluster_every_way_passes_it_on(step: str, error: Exception) -> None:
    stage = Stage("a", permissions=DISRUPTIVE, configurations=("all-1g.10gb",))
    stage.failures[step] = error

    assert list(stage.play(declared("x", looking(stage))).values()) == [error]


@pytest.mark.parametrize("error", ENDS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("moment", [Moment.IN_CELL, Moment.WHEN_LEFT, Moment.AT_END])
def test_a_scenario_that_hears_of_it_passes_it_on_to_whoever_asks(moment: Moment, error: Exception) -> None:
    stage = Stage("a", permissions=DISRUPTIVE, configurations=("all-1g.10gb",))
    ((case, spot),) = stage.follow(declared("x", looking(stage, moment=moment, look=breaks(error))))

    with pytest.raises(type(error), match=str(error)):
        stage.ask(case, spot)


@pytest.mark.parametrize("error", ENDS, ids=lambda error: type(error).__name__)
def test_at_the_end_no_other_stop_is_entered_once_nothing_more_can_be_said(error: Exception) -> None:
    stage = Stage("a", permissions=DISRUPTIVE)
    stage.failures[f"bring a to {ONE}"] = error
    (case, spot), *_ = stage.follow(declared("x", looking(stage, moment=Moment.AT_END)))

    with pytest.raises(type(error), match=str(error)):
        stage.ask(case, spot)
    assert stage.steps("bring") == [f"bring a to {ONE}"]


# Moments ------------------------------------------------------------------------------------------------------------


def test_what_is_complete_when_the_node_leaves_sees_the_whole_stay() -> None:
    stage = Stage("a", permissions=DISRUPTIVE)
    left: dict[str, int | None] = {}

    def leave(node: NodeInCell) -> str:
        left[str(node.cell)] = node.left
        return name_of(node)

    back = looking(stage, "Back", moment=Moment.WHEN_LEFT, look=leave)
    stage.play(declared("x", looking(stage)), declared("y", back))

    assert [step for step in stage.done if not step.startswith(("keep", "read"))] == [
        f"bring a to {ONE}", "start Look a", "start Back a", "observe Look a", "observe Back a",
        f"bring a to {OTHER}", "start Look a", "start Back a", "observe Look a", "observe Back a",
    ]  # fmt: skip
    assert None not in left.values()


def test_evidence_of_a_stay_is_taken_before_the_next_stop_although_nobody_has_asked_yet() -> None:
    stage = Stage("a", permissions=DISRUPTIVE)
    back = declared("x", looking(stage, "Back", moment=Moment.WHEN_LEFT))
    here = declared("y", looking(stage))
    stage.follow(back, here)
    stage.ask(here, Spot(cell(ONE), "a"))
    stage.ask(here, Spot(cell(OTHER), "a"))

    assert stage.done.index("observe Back a") < stage.done.index(f"bring a to {OTHER}")


def test_at_the_end_everything_that_takes_time_is_waited_for_once() -> None:
    stage = Stage("a", "b", permissions=DISRUPTIVE)
    end = declared("x", looking(stage, "End", moment=Moment.AT_END))
    answers = stage.play(declared("y", looking(stage)), end)

    assert [text for _, _, text in stage.told if "grace" in text] == ["kubelet's grace period for removed resources"]
    assert answers[f"x[{ONE}-a]"] == f"a in {ONE}"
    last = max(number for number, step in enumerate(stage.done) if step.startswith("bring"))
    assert all(stage.done.index(step) > last for step in ("observe End a", "observe End b"))
    assert stage.done.count("observe End a") == 2


def test_at_the_end_nobody_waits_for_longer_than_kubelet_may_count_what_is_gone() -> None:
    """A resource that is never forgotten is for the case to judge."""
    stage = Stage("a", permissions=DISRUPTIVE, configurations=("all-1g.10gb",))
    stage.memory.node("a", gpu=0)
    stage.memory.capacity("a", gpu=7)

    assert stage.play(declared("x", looking(stage, moment=Moment.AT_END))) == {f"x[{ONE}-a]": f"a in {ONE}"}


def test_at_the_end_nobody_waits_for_a_node_that_did_not_reach_its_cell() -> None:
    stage = Stage("a", permissions=DISRUPTIVE, configurations=("all-1g.10gb",))
    stage.outcomes["a"] = Outcome.FAILED
    stage.memory.node("a", gpu=0)
    stage.memory.capacity("a", gpu=7)
    cluster = stage.memory.cluster
    cluster.limits = replace(cluster.limits, capacity_grace=60)
    begun = cluster.clock.now()
    answers = stage.play(declared("x", looking(stage, moment=Moment.AT_END)))

    assert isinstance(answers[f"x[{ONE}-a]"], BlockedError)
    assert cluster.clock.now() - begun < cluster.limits.capacity_grace
    assert not stage.steps("observe")


def test_cases_that_look_at_the_end_alone_still_bring_the_nodes_there() -> None:
    stage = Stage("a", permissions=DISRUPTIVE)
    answers = stage.play(declared("x", looking(stage, moment=Moment.AT_END)))

    assert answers == {f"x[{at}-a]": f"a in {at}" for at in (ONE, OTHER)}
    assert stage.steps("bring") == [f"bring a to {ONE}", f"bring a to {OTHER}"]


def test_evidence_that_nobody_will_ask_for_is_forgotten() -> None:
    stage = Stage("a", permissions=DISRUPTIVE)
    stage.play(declared("x", looking(stage)), declared("y", looking(stage, "End", moment=Moment.AT_END)))

    (first, _) = stage.execution._visits.values()
    assert {scenario.moment for scenario, _ in first._evidence} == {Moment.AT_END}


# The change of strategy ---------------------------------------------------------------------------------------------


def switching(stage: Stage, **more: Any) -> AnyScenario:
    return looking(stage, "Switch", effect=Effect.CLUSTER_WIDE, moment=Moment.AT_SWITCH, **more)


UNIFORM = cells(kinds=[GeometryKind.UNIFORM])
MOVED = f"{ONE}-to-mixed-all-1g.10gb"


def test_the_switch_is_made_once_for_all_nodes_when_all_have_begun() -> None:
    stage = Stage("a", "b", configurations=("all-1g.10gb",))
    answers = stage.play(declared("x", switching(stage), UNIFORM), declared("y", looking(stage)))

    assert answers[f"x[{MOVED}-a]"] == f"a in {ONE}"
    assert answers[f"x[{MOVED}-b]"] == f"b in {ONE}"
    assert stage.steps("strategy") == ["strategy mixed"]
    changed = stage.done.index("strategy mixed")
    begun, seen = (
        {number for number, step in enumerate(stage.done) if step.startswith(f"{what} Switch")}
        for what in ("start", "observe")
    )
    assert (len(begun), len(seen)) == (2, 2)
    assert max(begun) < changed < min(seen)
    assert stage.run.visited == [ONE, "mixed-all-1g.10gb"]


def test_a_switch_alone_brings_the_nodes_to_where_it_begins_and_nowhere_else() -> None:
    stage = Stage("a", "b", "c", max_unavailable="2", configurations=("all-1g.10gb",))
    answers = stage.play(declared("x", switching(stage), UNIFORM))

    assert list(answers.values()) == [f"{node} in {ONE}" for node in "abc"]
    assert sorted(stage.steps("bring")) == [f"bring {node} to {ONE}" for node in "abc"]
    assert stage.told[-1] == (2, 2, "the change of strategy")


def test_pods_that_waited_for_the_switch_are_removed() -> None:
    stage = Stage("a", configurations=("all-1g.10gb",))
    stage.play(declared("x", switching(stage, begin=lambda node: node.workloads.start("nvidia.com/gpu")), UNIFORM))

    assert stage.cluster.pods(namespace="mig-conformance") == []


@pytest.mark.parametrize(("failing", "switches"), [(f"bring a to {ONE}", 0), ("keep a", 0), ("strategy mixed", 1)])
def test_a_switch_that_failed_is_not_tried_again_for_the_next_node(failing: str, switches: int) -> None:
    """Another try would bring the whole cluster back to the first strategy."""
    stage = Stage("a", "b", configurations=("all-1g.10gb",))
    stage.failures[failing] = error = ClusterError("cannot be had")
    first, second = stage.play(declared("x", switching(stage), UNIFORM)).values()

    if failing.startswith("bring"):
        assert (first, second) == (error, f"b in {ONE}")
        return
    assert first is error
    assert isinstance(second, BlockedError)
    assert str(second) == f"blocked by x[{MOVED}-a]: cannot be had"
    assert len(stage.steps("strategy")) == switches
    assert stage.done.count(failing) == 1


def test_a_node_that_is_not_where_the_switch_begins_takes_no_part() -> None:
    stage = Stage("a", "b", configurations=("all-1g.10gb",))
    stage.outcomes["b"] = Outcome.FAILED
    arrives = declared("arrives", looking(stage), SINGLE, tells_arrival=True)
    answers = stage.play(declared("x", switching(stage), UNIFORM), arrives)

    assert answers[f"x[{MOVED}-a]"] == f"a in {ONE}"
    assert str(answers[f"x[{MOVED}-b]"]).startswith(f"blocked by arrives[{ONE}-b]: node b did not reach")
    assert "start Switch b" not in stage.done


@pytest.mark.parametrize("error", ENDS, ids=lambda error: type(error).__name__)
def test_the_switch_passes_on_that_nothing_more_can_be_said(error: Exception) -> None:
    stage = Stage("a", configurations=("all-1g.10gb",))
    stage.failures["strategy mixed"] = error

    assert list(stage.play(declared("x", switching(stage), UNIFORM)).values()) == [error]


def test_a_node_whose_pod_breaks_at_the_switch_is_told_for_that_node() -> None:
    stage = Stage("a", "b", configurations=("all-1g.10gb",))
    error = ClusterError("the pod is gone")

    def look(node: NodeInCell) -> str:
        if node.name == "b":
            raise error
        return node.name

    assert list(stage.play(declared("x", switching(stage, look=look), UNIFORM)).values()) == ["a", error]


# Needs --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("of_scenario", [True, False])
@pytest.mark.parametrize(
    ("needs", "says"),
    [
        (Needs(devices=8), "node a has 7 x nvidia.com/gpu: 8 of one resource are needed"),
        (Needs(gpus=2), "node a has 1 GPU: 2 are needed"),
        (Needs(configurations=9), "node a has 5 configurations: 9 are needed"),
        (Needs(generations=(10,)), "node a has no GPU of compute capability 10"),
        (Needs(custom_configuration=True), "the cluster has no mig-parted ConfigMap of the user's own"),
    ],
)
def test_a_node_that_lacks_something_is_left_out_with_the_reason(needs: Needs, says: str, of_scenario: bool) -> None:
    stage = Stage("a", permissions=DISRUPTIVE, configurations=("all-1g.10gb",))
    scenario = looking(stage, needs=needs if of_scenario else None)
    (told,) = stage.play(declared("x", scenario, needs=None if of_scenario else needs)).values()

    assert isinstance(told, DoesNotApplyError)
    assert str(told) == says


@pytest.mark.parametrize("needs", [Needs(devices=7), Needs(gpus=1), Needs(generations=(8, 9)), Needs(neighbours=True)])
def test_a_node_that_has_everything_is_looked_at(needs: Needs) -> None:
    stage = Stage("a", permissions=DISRUPTIVE, configurations=("all-1g.10gb",))

    assert stage.play(declared("x", looking(stage, needs=needs))) == {f"x[{ONE}-a]": f"a in {ONE}"}


def test_a_node_of_no_device_says_that_it_has_none() -> None:
    stage = Stage("a", permissions=DISRUPTIVE, offered=["all-enabled"])
    (told,) = stage.play(declared("x", looking(stage, needs=Needs(devices=1)))).values()

    assert str(told) == "node a has no resource: 1 of one resource are needed"


def test_a_node_whose_gpus_have_one_device_each_has_nobody_who_shares_one() -> None:
    node = node_in(Stage("a").memory, node="a", seen=(gpu(SEVEN), gpu(SEVEN)))
    wanted = wanted_geometry([gpu(SEVEN), gpu(SEVEN)], [Entry(None, enabled=True, mig_devices={"7g.80gb": 1})])
    node.expected = replace(node.expected, wanted=wanted)

    said = "node a has no GPU with two devices of nvidia.com/gpu: nobody shares a GPU"
    assert unmet(Needs(neighbours=True), node) == said


# The canary ---------------------------------------------------------------------------------------------------------


def fail(stage: Stage, outcome: CaseOutcome, name: str = f"x[{ONE}-a]") -> None:
    stage.run.cases[name] = Case(id=name, outcome=outcome, duration=0, requirements=())


@pytest.mark.parametrize("outcome", [CaseOutcome.FAILED, CaseOutcome.ERROR, CaseOutcome.BLOCKED])
def test_a_failed_canary_ends_the_run_before_another_node_is_touched(outcome: CaseOutcome) -> None:
    stage = Stage("a", "b", permissions=DISRUPTIVE, canary=1, configurations=("all-1g.10gb",))
    (case, first), (_, second) = stage.follow(declared("x", looking(stage)))
    stage.ask(case, first)
    fail(stage, outcome)

    with pytest.raises(CanaryFailedError, match="no other node"):
        stage.ask(case, second)
    assert stage.steps("bring") == [f"bring a to {ONE}"]


@pytest.mark.parametrize("outcome", [CaseOutcome.PASSED, CaseOutcome.SKIPPED])
def test_after_a_canary_that_did_not_fail_the_run_goes_on(outcome: CaseOutcome) -> None:
    stage = Stage("a", "b", permissions=DISRUPTIVE, canary=1, configurations=("all-1g.10gb",))
    (case, first), (_, second) = stage.follow(declared("x", looking(stage)))
    stage.ask(case, first)
    fail(stage, outcome)

    assert stage.ask(case, second)[1] == f"b in {ONE}"


@pytest.mark.parametrize("wave", [0, 2])
def test_only_a_failure_on_the_canary_ends_the_run(wave: int) -> None:
    """One on a node that is only read, or on one that was changed after the canary, says nothing of it."""
    chosen: dict[str, Any] = {"canary": 1, "sample": 2, "configurations": ("all-1g.10gb",)}
    stage = Stage("a", "b", "c", permissions=DISRUPTIVE, found={"c": ONE}, **chosen)
    first, second = declared("x", looking(stage)), declared("y", looking(stage))
    for case, spot in stage.follow(first, second):
        assert stage.ask(case, spot)[1] == f"{spot.node} in {ONE}"
        if spot.wave == wave:
            fail(stage, CaseOutcome.FAILED, identify(case, spot))

    assert sorted(stage.steps("bring")) == [f"bring a to {ONE}", f"bring b to {ONE}"]


def test_without_a_canary_a_failure_does_not_end_the_run() -> None:
    stage = Stage("a", "b", permissions=DISRUPTIVE, max_unavailable="1", configurations=("all-1g.10gb",))
    (case, first), (_, second) = stage.follow(declared("x", looking(stage)))
    stage.ask(case, first)
    fail(stage, CaseOutcome.FAILED)

    assert stage.ask(case, second)[1] == f"b in {ONE}"


@pytest.mark.parametrize("moment", [Moment.AT_END, Moment.AT_SWITCH])
def test_a_failed_canary_keeps_cases_of_every_moment_from_other_nodes(moment: Moment) -> None:
    """Nodes of later waves are brought to their cells for the end and for the switch too."""
    stage = Stage("a", "b", canary=1, configurations=("all-1g.10gb",))
    late = declared("late", looking(stage, "Late", moment=moment, effect=Effect.CLUSTER_WIDE), UNIFORM)
    case, spot = declared("x", looking(stage)), Spot(cell(ONE), "a")
    pairs = [(case, spot), *((late, place) for place in stage.planner.spots(late))]
    stage.execution.follow(Agenda.of((identify(*pair), *pair) for pair in pairs))
    stage.ask(case, spot)
    fail(stage, CaseOutcome.FAILED)

    with pytest.raises(CanaryFailedError):
        stage.ask(*pairs[1])
    assert stage.steps("bring") == [f"bring a to {ONE}"]


# What stands beside a failed case -----------------------------------------------------------------------------------


def test_evidence_is_the_timeline_of_the_node_in_its_cell_and_the_log() -> None:
    stage = Stage("a", "b", permissions=DISRUPTIVE, configurations=("all-1g.10gb",))
    stage.memory.watch()
    stage.memory.node("a", {"nvidia.com/before": "1"}, gpu=7)
    case = declared("x", looking(stage))
    stage.play(case)
    stage.memory.node("a", {"nvidia.com/after": "1"}, gpu=7)
    stage.memory.node("b", {"nvidia.com/elsewhere": "1"}, gpu=7)
    stage.execution.keep_evidence("x", case, Spot(cell(ONE), "a"))

    evidence = stage.run.evidence[f"a in {ONE}"]
    assert evidence.logs[0].lines == (f"log of a at {ONE}",)
    told = " ".join(entry.change for entry in evidence.timeline)
    assert "after=1" in told
    assert "before=1" not in told
    assert "elsewhere" not in told


def test_evidence_for_the_report_is_taken_once_for_each_node_in_a_cell() -> None:
    stage = Stage("a", "b", permissions=DISRUPTIVE, configurations=("all-1g.10gb",))
    stage.memory.watch()
    case = declared("x", looking(stage))
    stage.play(case)
    spots = [Spot(cell(ONE), "a"), Spot(cell(ONE), "a"), Spot(cell(ONE), "b"), Spot(cell(ONE), "a", wave=0)]
    for number, spot in enumerate(spots):
        stage.execution.keep_evidence(f"case {number}", case, spot)

    run = stage.run
    assert list(run.evidence) == [f"a in {ONE}", f"b in {ONE}", "a as found"]
    assert run.evidence_of == {
        "case 0": f"a in {ONE}",
        "case 1": f"a in {ONE}",
        "case 2": f"b in {ONE}",
        "case 3": "a as found",
    }
    assert run.evidence[f"a in {ONE}"].logs[0].lines == (f"log of a at {ONE}",)


def test_a_scenario_that_ends_the_stay_has_the_part_of_the_timeline_in_which_it_was_at_work() -> None:
    """What came before and after it would hide what a failed case is about."""
    stage = Stage("a", permissions=DISRUPTIVE, configurations=("all-1g.10gb",))
    stage.memory.watch()

    def write(name: str) -> Callable[[NodeInCell], str]:
        def look(node: NodeInCell) -> str:
            stage.memory.node("a", {f"nvidia.com/{name}": "1"}, gpu=7)
            return node.name

        return look

    shared, first, second = (
        looking(stage, "Shared", look=write("shared")),
        looking(stage, "First", look=write("first"), exclusive=True, effect=Effect.DISRUPTIVE),
        looking(stage, "Second", look=write("second"), exclusive=True, effect=Effect.DISRUPTIVE),
    )
    cases = [declared(name, it, SINGLE) for name, it in (("x", shared), ("y", first), ("z", second))]
    stage.play(*cases)
    spot = Spot(cell(ONE), "a")
    for name, case in zip("xyz", cases, strict=True):
        stage.execution.keep_evidence(name, case, spot)
    told = {name: " ".join(it.change for it in stage.run.evidence[key].timeline) for name, key in kept(stage)}
    messages = [" ".join(stage.execution.evidence("y", case, spot)[0].context.timeline()) for case in cases]

    assert "first=1" in told["y"]
    assert not any(other in told["y"] for other in ("shared=1", "second=1"))
    assert "second=1" in told["z"]
    assert ["first=1" in message for message in messages] == [False, True, False]
    assert ["second=1" in message for message in messages] == [False, False, True]


def kept(stage: Stage) -> Iterable[tuple[str, str]]:
    return stage.run.evidence_of.items()


def test_a_report_has_evidence_of_so_many_places_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execution, "MOST_PLACES", 1)
    stage = Stage("a", "b")
    case = declared("x", looking(stage))
    for node in ("a", "b"):
        stage.execution.keep_evidence(node, case, Spot(cell(ONE), node))

    assert (len(stage.run.evidence), list(stage.run.evidence_of)) == (1, ["a"])


def label_of_somebody_else(stage: Stage, node: str) -> None:
    """As `kubectl label node NODE nvidia.com/gpu.deploy.container-toolkit=false` does."""
    found = stage.memory.get(paths.node(node))
    fields: dict[str, Any] = {"f:metadata": {"f:labels": {"f:nvidia.com/gpu.deploy.container-toolkit": {}}}}
    meta = found["metadata"] | {
        "labels": found["metadata"]["labels"] | {"nvidia.com/gpu.deploy.container-toolkit": "false"},
        "managedFields": [{"manager": "kubectl-label", "operation": "Update", "fieldsV1": fields}],
    }
    stage.memory.put(paths.node(node), found | {"metadata": meta})


@pytest.mark.parametrize(
    ("spot", "told"), [(Spot(cell(ONE), "a"), False), (Spot(cell(ONE), "a", after=cell(OTHER)), True)]
)
def test_what_others_do_to_one_node_is_trouble_for_a_change_of_strategy_on_all(spot: Spot, told: bool) -> None:
    """Operands roll from node to node: one that is not ready on a node keeps its update from the others."""
    stage = Stage("a", "b")
    stage.memory.watch()
    label_of_somebody_else(stage, "b")

    trouble = stage.execution.doubts.trouble(spot)

    assert ("container-toolkit=false (by kubectl-label)" in trouble) is told


FILE = """
version: v1
mig-configs:
  all-1g.10gb: [{devices: all, mig-enabled: true, mig-devices: {1g.10gb: 7}}]
"""


@pytest.mark.parametrize(
    ("source", "now", "told"),
    [
        ("mine", FILE, False),
        ("mine", FILE.replace("7", "4"), True),
        ("mine", "no: file", True),
        ("mine", None, True),
        ("default-mig-parted-config", None, False),
    ],
)
def test_a_file_of_the_user_s_own_that_was_edited_in_the_run_is_trouble(
    source: str, now: str | None, told: bool
) -> None:
    stage = Stage("a")
    mine = replace(stage.planner.targets["a"], source=source, configurations=parse(FILE))
    stage.planner.targets = {"a": mine}
    if now is not None:
        path = paths.config_map(stage.cluster.operator_namespace, "mine")
        stage.memory.put(path, {"metadata": {"name": "mine"}, "data": {"config.yaml": now}})

    trouble = stage.execution.doubts.trouble(Spot(cell(ONE), "a"))

    assert ("ConfigMap mine" in trouble) is told


@pytest.mark.parametrize("step", ["begin", "look"])
@pytest.mark.parametrize(("effect", "unsure"), [(Effect.DISRUPTIVE, True), (Effect.WORKLOAD, False)])
def test_a_scenario_that_changes_the_node_and_breaks_leaves_it_unsure(effect: Effect, unsure: bool, step: str) -> None:
    stage = Stage("a", permissions=DISRUPTIVE, configurations=("all-1g.10gb",))
    seen: list[bool] = []
    error = ClusterError("no answer")
    broken = looking(stage, "Broken", effect=effect, exclusive=True, **{step: breaks(error)})
    after = looking(
        stage, "After", effect=Effect.DISRUPTIVE, exclusive=True, begin=lambda node: seen.append(node.unsure)
    )
    stage.play(declared("x", broken), declared("y", after))

    assert seen == [unsure]


def test_what_others_did_while_the_strategy_changed_is_trouble_for_the_stop_after_it() -> None:
    """A case that watches the change has it made before the stop begins, and the evidence of the stop includes it."""
    stage = Stage("a")
    stage.memory.watch()
    stop, doubts = Stop.of(Spot(cell(ONE), "a")), stage.execution.doubts
    change = replace(strategy_change("single", Strategy.MIXED), mark=stage.cluster.timeline.mark())
    label_of_somebody_else(stage, "a")
    doubts.begin(stop)
    assert doubts.trouble(Spot(cell(ONE), "a")) == ""

    doubts.reach_back(stop, [replace(arrival(), strategy_change=change)])

    assert "container-toolkit=false (by kubectl-label)" in doubts.trouble(Spot(cell(ONE), "a"))
