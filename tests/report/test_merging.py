"""Runs that together cover a cluster are as good as one that does; whatever is missing in all of them stays missing."""

from __future__ import annotations

from itertools import count
from statistics import median
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from conformance.operations.restored import Restore, RestoreOutcome
from conformance.report.merging import merge
from conformance.report.model import (
    Case,
    CaseCell,
    CaseFunction,
    Environment,
    LeftOut,
    NodeEnvironment,
    Outcome,
    Report,
    Required,
    Verdict,
)
from conformance.report.observations import Convergence, Evidence, Stay, TimelineEntry
from conformance.report.run import Place, Run
from conformance.report.validation import ReportError, problems
from tests.report.kinds import KINDS, certified, known_cluster, not_certified
from tests.report.made import CORE, case, report_of, run_of, whole_run

NODE = "narrowed to --node "
NUMBERS = count(1)


FUNCTION = CaseFunction(module="m", requirements=(), level="core", scenario="S", statement="It MUST.", source="x")


def place(made: Case, node: str, strategy: str = "single", configuration: str = "all-disabled") -> Case:
    cell = CaseCell(strategy=strategy, configuration=configuration)
    update = {"id": f"{made.id}[{strategy}-{configuration}-{node}]", "function": made.id, "node": node, "cell": cell}
    return made.model_copy(update=update)


def part(*nodes: str, strategies: tuple[str, ...] = ("single", "mixed"), **fields: Any) -> Report:
    """A run of every core requirement on some nodes, under some strategies, in the only configuration there is."""
    cases = [
        place(case(f"test_all.py::test_{name}", Outcome.PASSED, name), node, strategy)
        for name in CORE
        for node in nodes
        for strategy in strategies
    ]
    run: Run = run_of(*cases)
    run.id = f"run-{next(NUMBERS)}"
    run.restore = Restore(RestoreOutcome.EXACT)
    run.mig_nodes = ("a", "b")
    run.environment = Environment(
        cluster="uid-1",
        driver="580",
        nodes=tuple(
            NodeEnvironment(name=node, gpu_model="H100", gpus=8, configurations=("all-disabled",)) for node in nodes
        ),
    )
    run.functions = {it.function: FUNCTION for it in cases} | {"f": FUNCTION}
    run.places = {it.id: Place(it.function, it.node, it.cell) for it in cases if it.cell}
    for name, value in fields.items():
        setattr(run, name, value)
    return report_of(run)


def deselected(report: Report, nodes: int) -> dict[str, int]:
    return {it.function: nodes for it in report.cases}


def test_all_nodes_one_by_one_are_the_whole_cluster() -> None:
    parts = [part(node, narrowed=[NODE + node]) for node in "ab"]
    assert {report.verdict for report in parts} == {Verdict.PARTIAL}

    whole = merge(parts, Required.CERTIFIED)

    assert (whole.verdict, whole.exit_status, whole.reasons) == (Verdict.CERTIFIED, 0, ())
    assert [node.name for node in whole.environment.nodes] == ["a", "b"]
    assert len(whole.cases) == sum(len(report.cases) for report in parts)
    assert problems(whole) == []


def test_a_node_that_nobody_tested_stays_missing() -> None:
    whole = merge([part("a", narrowed=[NODE + "a"]), part("a", narrowed=[NODE + "a"])], Required.CERTIFIED)

    assert (whole.verdict, whole.exit_status, whole.reasons) == (Verdict.PARTIAL, 1, (NODE + "a",))


def test_both_strategies_one_after_the_other_are_the_whole_cluster() -> None:
    single, mixed = part("a", "b", strategies=("single",)), part("a", "b", strategies=("mixed",))
    parts = [
        part("a", "b", strategies=(it,), deselected=26, not_run=deselected(report, 2))
        for it, report in (("single", single), ("mixed", mixed))
    ]
    assert parts[0].reasons == ("26 cases deselected",)

    assert merge(parts, Required.CERTIFIED).verdict is Verdict.CERTIFIED
    alone = merge(parts[:1], Required.CERTIFIED)
    assert (alone.verdict, alone.reasons) == (Verdict.PARTIAL, ("26 cases deselected",))


def test_what_one_run_must_not_do_counts_if_another_did_it() -> None:
    left = [LeftOut(case="f", requirements=("D-08",), outcome="not-allowed", reason="--allow-reboot", places=2)]
    careful = part("a", "b", left_out=left)
    extra = [place(case("test_r.py::test_r", Outcome.PASSED, "D-08"), node) for node in "ab"]
    done = {it.id: it.model_copy(update={"function": "f"}) for it in extra}
    bold = part("a", "b", cases={it.id: it for it in part("a", "b").cases} | done)

    as_careful = careful.model_copy(update={"run": "another"})
    assert merge([careful, as_careful], Required.CERTIFIED).left_out == tuple(left)
    whole = merge([careful, bold], Required.CERTIFIED)
    assert (whole.verdict, whole.left_out) == (Verdict.CERTIFIED, ())
    assert problems(whole) == []


def test_what_was_left_out_on_one_node_is_not_made_good_on_another() -> None:
    left = [LeftOut(case="f", requirements=("D-08",), outcome="not-allowed", reason="--allow-reboot", places=1)]
    first = part("a", narrowed=[NODE + "a"], left_out=left)
    other = part("b", narrowed=[NODE + "b"])
    ran = place(case("f", Outcome.PASSED, "D-08"), "b").model_copy(update={"function": "f"})
    second = other.model_copy(update={"cases": (*other.cases, ran)})

    assert merge([first, second], Required.CERTIFIED).left_out == tuple(left)


@given(some.sampled_from([it for it in Outcome if it is not Outcome.NOT_ALLOWED]), some.booleans())
def test_of_a_case_that_ran_twice_the_worse_outcome_counts(outcome: Outcome, first: bool) -> None:
    odd, good = (
        known_cluster(report_of(whole_run(case("test_a.py::test_a", it, CORE[0], reason="x"))))
        for it in (outcome, Outcome.PASSED)
    )
    whole = merge([odd, good] if first else [good, odd], Required.PARTIAL)

    found = {it.id: it.outcome for it in whole.cases}["conformance/cases/test_a.py::test_a"]
    assert found is (Outcome.PASSED if outcome is Outcome.SKIPPED else outcome)
    assert problems(whole) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_report_alone_keeps_its_verdict(kind: str) -> None:
    report = known_cluster(KINDS[kind]())
    whole = merge([report], report.require)

    assert whole.cases == report.cases
    if kind not in ("interrupted", "partial"):  # these left out what the scope of a made-up run does not name
        assert whole.verdict is report.verdict
    assert problems(whole) == []


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("cluster", "uid-2", "cluster differs: uid-1 and uid-2"),
        ("driver", "570", "driver differs: 580 and 570"),
        ("suite_version", "9.9", "suite_version differs: 0.1.0 and 9.9"),
        ("profile", "core", "profile differs: full and core"),
    ],
)
def test_strangers_are_refused(field: str, value: str, said: str) -> None:
    first = part("a")
    if field in Environment.model_fields:
        environment = first.environment.model_copy(update={field: value})
        second = first.model_copy(update={"environment": environment})
    else:
        second = first.model_copy(update={field: value})

    with pytest.raises(ReportError) as refused:
        merge([first, second], Required.CERTIFIED)
    assert str(refused.value).startswith(said.partition(": ")[0])
    assert str(refused.value).endswith(said.rpartition(" ")[2])


def test_times_of_later_runs_follow_those_of_earlier_ones() -> None:
    entry = TimelineEntry(time=1.0, kind="labels", subject="x", change="x=1")
    stay = Stay(start=0.0, end=500.0, strategy="single", configuration="a")
    report = known_cluster(certified()).model_copy(
        update={"timelines": {"sim-0": (entry,)}, "stays": {"sim-0": (stay,)}}
    )
    later = [
        report.model_copy(update={"started": f"2026-11-24T12:0{minute}:00+00:00", "run": str(minute)})
        for minute in (0, 1, 9)
    ]

    whole = merge(list(reversed(later)), Required.CERTIFIED)

    assert [(it.start, it.end) for it in whole.stays["sim-0"]] == [(0, 500), (500, 1000), (1000, 1500)]
    assert [it.time for it in whole.timelines["sim-0"]] == [1, 501, 1001]
    assert (whole.run, whole.started) == ("0+1+9", "2026-11-24T12:00:00+00:00")


def test_evidence_of_both_runs_is_kept() -> None:
    first = known_cluster(not_certified())
    evidence = {key: it.model_copy(update={"node": "other"}) for key, it in first.evidence.items()}
    second = first.model_copy(update={"run": "r2", "evidence": evidence})

    whole = merge([first, second], Required.CERTIFIED)

    (key,) = first.evidence
    assert list(whole.evidence) == [key, f"{key}, run r2"]
    assert isinstance(whole.evidence[key], Evidence)
    assert problems(whole) == []


def test_convergence_and_restore_are_those_of_all_runs() -> None:
    def timed(n: int, middle: float) -> Convergence:
        return Convergence(
            gpu_model="H100", change="label-to-success", n=n, minimum=middle - 1, median=middle, maximum=middle + 1
        )

    first, second = (
        part("a").model_copy(update={"convergence": (timed(n, middle),), "restore": Restore(outcome, (middle_text,))})
        for n, middle, outcome, middle_text in (
            (3, 10.0, RestoreOutcome.EXACT, "x"),
            (1, 50.0, RestoreOutcome.FAILED, "y"),
        )
    )
    whole = merge([first, second], Required.CERTIFIED)

    assert whole.convergence == (
        Convergence(gpu_model="H100", change="label-to-success", n=4, minimum=9, median=10, maximum=51),
    )
    assert (whole.restore.outcome, whole.restore.differences) == (RestoreOutcome.FAILED, ("x", "y"))
    assert whole.verdict is Verdict.NOT_CERTIFIED


@pytest.mark.parametrize(
    ("other", "verdict"),
    [
        (Restore(RestoreOutcome.EXACT), Verdict.INCONCLUSIVE),
        (Restore(RestoreOutcome.FAILED, ("the strategy",)), Verdict.NOT_CERTIFIED),
    ],
)
def test_a_restore_that_was_hindered_blames_the_cluster_as_little_as_before(other: Restore, verdict: Verdict) -> None:
    hindered = Restore(RestoreOutcome.FAILED, ("interrupted",), hindered=True)
    runs = [part(name).model_copy(update={"restore": it}) for name, it in (("a", hindered), ("b", other))]

    whole = merge(runs, Required.CERTIFIED)

    assert (whole.restore.outcome, whole.verdict) == (RestoreOutcome.FAILED, verdict)
    assert problems(whole) == []


def test_a_run_that_is_there_twice_is_not_counted_twice() -> None:
    one, two = part("a"), part("b")

    with pytest.raises(ReportError, match=f"^run {one.run} is there more than once"):
        merge([one, two, one], Required.CERTIFIED)


@given(
    some.lists(some.tuples(some.integers(1, 9), some.floats(0, 100)), min_size=1, max_size=5),
)
def test_the_median_of_runs_counts_each_as_often_as_it_was_measured(medians: list[tuple[int, float]]) -> None:
    reports = [
        part(f"n{number}").model_copy(update={"convergence": (measured(n, value),)})
        for number, (n, value) in enumerate(medians)
    ]
    [joined] = merge(reports, Required.CERTIFIED).convergence

    assert joined.median == pytest.approx(median([value for n, value in medians for _ in range(n)]), abs=0.001)


def measured(n: int, value: float) -> Convergence:
    return Convergence(gpu_model="H100", change="pod-to-running", n=n, minimum=0.0, median=value, maximum=100.0)
