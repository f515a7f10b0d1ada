"""The rules of the verdict, one by one, and the one that must hold whatever happens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as some

from conformance.operations.restored import Restore, RestoreOutcome
from conformance.report.causes import doubted
from conformance.report.model import Case, LeftOut, Outcome, RequirementOutcome, Verdict
from conformance.report.run import Run
from conformance.report.verdict import judge, requirement_results
from tests.report.made import CORE, EVERY, EXTENDED, case, run_of, whole_run

Change = Callable[[Run], object]


def narrowed(run: Run) -> None:
    run.narrowed += ["3 cases deselected", "3 cases deselected"]


def not_allowed(run: Run) -> None:
    run.left_out += [not_run("a", CORE[0], 7), not_run("b", CORE[1], 5), not_run("b", CORE[1], 2, outcome="skipped")]


def deselected(run: Run) -> None:
    run.deselected = 3


def not_run(
    name: str, requirement: str, places: int, outcome: Literal["not-allowed", "skipped"] = "not-allowed"
) -> LeftOut:
    reason = "needs --allow-disruptive" if outcome == "not-allowed" else "--sample leaves the node out"
    return LeftOut(case=name, requirements=(requirement,), outcome=outcome, reason=reason, places=places)


def interrupted(run: Run) -> None:
    run.selected.append("conformance/cases/test_last.py::test_that_never_ran")


def restore_failed(run: Run) -> None:
    run.restore = Restore(RestoreOutcome.FAILED, ("sim-0: label x is 1, was 2",))


def one(outcome: Outcome, requirement: str) -> Change:
    def change(run: Run) -> None:
        reason = "no answer\nat all" if outcome is Outcome.INCONCLUSIVE else ""
        added = case("test_one.py::test_it", outcome, requirement, reason=reason)
        run.cases[added.id] = added

    return change


def unjudged(run: Run) -> None:
    """The only case of a core requirement is skipped."""
    name = next(name for name, found in run.cases.items() if found.requirements == (CORE[2],))
    run.cases[name] = run.cases[name].model_copy(update={"outcome": Outcome.SKIPPED})


TOTAL = len(CORE) + 1
NOT_JUDGED = f"1 of {TOTAL} cases was not judged: no answer"
ONE_OPEN = f"1 of {len(CORE)} core requirements was not judged"


@pytest.mark.parametrize(
    ("changes", "verdict", "reasons"),
    [
        ([], Verdict.CERTIFIED, ()),
        ([one(Outcome.SKIPPED, CORE[0])], Verdict.CERTIFIED, ()),
        ([one(Outcome.SKIPPED, EXTENDED[0])], Verdict.CERTIFIED, ()),
        ([narrowed], Verdict.PARTIAL, ("3 cases deselected",)),
        (
            [not_allowed],
            Verdict.PARTIAL,
            (
                "left out at 12 places: needs --allow-disruptive",
                "left out at 2 places: --sample leaves the node out",
            ),
        ),
        ([deselected], Verdict.PARTIAL, ("3 cases deselected",)),
        ([interrupted], Verdict.PARTIAL, (f"1 of {TOTAL} selected cases did not run to their end",)),
        ([unjudged], Verdict.PARTIAL, (f"1 of {len(CORE)} core requirements was not judged",)),
        ([one(Outcome.FAILED, CORE[0])], Verdict.NOT_CERTIFIED, (f"1 of {TOTAL} cases failed",)),
        ([one(Outcome.FAILED, EXTENDED[0])], Verdict.NOT_CERTIFIED, (f"1 of {TOTAL} cases failed",)),
        ([one(Outcome.ERROR, CORE[0])], Verdict.NOT_CERTIFIED, (f"1 of {TOTAL} cases broke before they could judge",)),
        (
            [one(Outcome.BLOCKED, CORE[0])],
            Verdict.NOT_CERTIFIED,
            (f"1 of {TOTAL} cases was blocked by another case",),
        ),
        ([one(Outcome.INCONCLUSIVE, CORE[0])], Verdict.INCONCLUSIVE, (NOT_JUDGED, ONE_OPEN)),
        ([one(Outcome.INCONCLUSIVE, EXTENDED[0])], Verdict.INCONCLUSIVE, (NOT_JUDGED,)),
        (
            [one(Outcome.INCONCLUSIVE, CORE[0]), narrowed],
            Verdict.INCONCLUSIVE,
            (NOT_JUDGED, "3 cases deselected", ONE_OPEN),
        ),
        (
            [one(Outcome.INCONCLUSIVE, CORE[0]), restore_failed],
            Verdict.INCONCLUSIVE,
            (NOT_JUDGED, "the cluster could not be put back as it was found", ONE_OPEN),
        ),
        ([restore_failed], Verdict.NOT_CERTIFIED, ("the cluster could not be put back as it was found",)),
        (
            [one(Outcome.FAILED, CORE[0]), narrowed],
            Verdict.NOT_CERTIFIED,
            (f"1 of {TOTAL} cases failed", "3 cases deselected"),
        ),
    ],
)
def test_verdict_and_its_reasons(changes: list[Change], verdict: Verdict, reasons: tuple[str, ...]) -> None:
    run = whole_run()
    for change in changes:
        change(run)

    judgement = judge(run)

    assert (judgement.verdict, judgement.reasons) == (verdict, reasons)


@pytest.mark.parametrize(
    "cases",
    [
        (),
        (case("test_a.py::test_a", Outcome.SKIPPED, CORE[0]),),
        (case("test_a.py::test_a", Outcome.BLOCKED, CORE[0]),),
        (case("test_a.py::test_a", Outcome.PASSED, EXTENDED[0]),),
    ],
)
def test_a_run_without_a_judged_core_case_is_not_certified(cases: tuple[Case, ...]) -> None:
    judgement = judge(run_of(*cases))

    assert judgement.verdict is Verdict.NOT_CERTIFIED
    assert "no case of a core requirement ran" in judgement.reasons


def test_a_run_that_could_judge_nothing_is_no_finding() -> None:
    judgement = judge(run_of(case("test_a.py::test_a", Outcome.INCONCLUSIVE, CORE[0], reason="token revoked")))

    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.reasons[0] == "1 of 1 cases was not judged: token revoked"


@pytest.mark.parametrize(
    ("cases", "verdict"),
    [
        ((), Verdict.INCONCLUSIVE),
        ((case("test_a.py::test_a", Outcome.PASSED, CORE[0]),), Verdict.PARTIAL),
        ((case("test_a.py::test_a", Outcome.FAILED, CORE[0]),), Verdict.NOT_CERTIFIED),
    ],
)
@pytest.mark.parametrize("status", [pytest.ExitCode.INTERRUPTED, pytest.ExitCode.INTERNAL_ERROR])
def test_a_run_that_ends_early_for_reasons_of_its_own_is_no_finding(
    status: int, cases: tuple[Case, ...], verdict: Verdict
) -> None:
    """A signal, or pytest's own error: for example a closed pipe, `pytest | head`."""
    run = run_of(*cases)
    run.status = status

    assert judge(run).verdict is verdict


def test_a_failure_counts_although_another_case_could_not_be_judged() -> None:
    run = whole_run(case("a", Outcome.INCONCLUSIVE, CORE[0], reason="x"), case("b", Outcome.FAILED, CORE[0]))

    assert judge(run).verdict is Verdict.NOT_CERTIFIED


@pytest.mark.parametrize(
    ("outcomes", "expected"),
    [
        ([], RequirementOutcome.UNTESTED),
        ([Outcome.SKIPPED, Outcome.BLOCKED], RequirementOutcome.UNTESTED),
        ([Outcome.SKIPPED, Outcome.PASSED], RequirementOutcome.PASSED),
        ([Outcome.PASSED, Outcome.FAILED], RequirementOutcome.FAILED),
        ([Outcome.PASSED, Outcome.ERROR], RequirementOutcome.FAILED),
        ([Outcome.PASSED, Outcome.INCONCLUSIVE], RequirementOutcome.INCONCLUSIVE),
        ([Outcome.FAILED, Outcome.INCONCLUSIVE], RequirementOutcome.FAILED),
    ],
)
def test_a_requirement_is_as_good_as_its_worst_case(outcomes: list[Outcome], expected: RequirementOutcome) -> None:
    cases = [case(f"test_a.py::test_{number}", outcome, "D-06") for number, outcome in enumerate(outcomes)]

    results = {result.id: result for result in requirement_results(cases)}

    assert results["D-06"].outcome is expected
    assert sum(results["D-06"].cases.values()) == len(outcomes)
    assert tuple(results) == tuple(sorted(EVERY))


def test_places_that_were_left_out_are_counted_for_their_requirements() -> None:
    left_out = [not_run("a", "D-06", 7), not_run("b", "D-06", 5), not_run("c", "D-06", 2, outcome="skipped")]

    results = {result.id: result for result in requirement_results([case("x", Outcome.PASSED, "D-06")], left_out)}

    assert results["D-06"].cases == {"passed": 1, "not-allowed": 12, "skipped": 2}
    assert results["D-06"].outcome is RequirementOutcome.PASSED
    assert results["D-07"].outcome is RequirementOutcome.UNTESTED


def test_a_requirement_whose_cases_were_all_left_out_is_untested() -> None:
    results = {result.id: result for result in requirement_results([], [not_run("a", "D-06", 7)])}

    assert results["D-06"].outcome is RequirementOutcome.UNTESTED


def test_a_restore_that_something_else_than_the_cluster_hindered_is_inconclusive() -> None:
    run = whole_run()
    run.restore = Restore(RestoreOutcome.FAILED, ("401 Unauthorized",), hindered=True)

    judgement = judge(run)

    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.reasons == ("the cluster could not be put back as it was found: 401 Unauthorized",)


cases_of_any_outcome = some.lists(
    some.builds(
        lambda number, outcome, names: case(f"test_any.py::test_{number}", outcome, *names),
        some.integers(0, 50),
        some.sampled_from([outcome for outcome in Outcome if outcome is not Outcome.NOT_ALLOWED]),
        some.lists(some.sampled_from(EVERY), max_size=3, unique=True),
    ),
    max_size=6,
    unique_by=lambda made: made.id,
)


@given(
    more=cases_of_any_outcome,
    whole=some.booleans(),
    reasons=some.lists(some.just("narrowed to --configuration all-balanced"), max_size=1),
    unfinished=some.integers(0, 2),
    restore=some.sampled_from(RestoreOutcome),
    left_out=some.lists(
        some.builds(not_run, some.just("x"), some.sampled_from(EVERY), some.integers(1, 9)), max_size=2
    ),
)
def test_certified_only_when_nothing_failed_and_nothing_was_left_out(
    more: list[Case], whole: bool, reasons: list[str], unfinished: int, restore: RestoreOutcome, left_out: list[LeftOut]
) -> None:
    run = whole_run(*more) if whole else run_of(*more)
    run.narrowed = reasons
    run.selected += [f"unfinished-{number}" for number in range(unfinished)]
    run.restore = Restore(restore)
    run.left_out = left_out

    judgement = judge(run)

    outcomes = {found.outcome for found in run.cases.values()}
    passed = {name for found in run.cases.values() if found.outcome is Outcome.PASSED for name in found.requirements}
    spotless = (
        not outcomes & {Outcome.FAILED, Outcome.ERROR, Outcome.BLOCKED, Outcome.INCONCLUSIVE}
        and passed >= set(CORE)
        and not reasons
        and not left_out
        and not unfinished
        and restore is not RestoreOutcome.FAILED
    )
    assert (judgement.verdict is Verdict.CERTIFIED) == spotless
    assert (judgement.verdict is Verdict.CERTIFIED) == (not judgement.reasons)


def test_cases_with_the_same_trouble_are_one_reason_whatever_each_would_say() -> None:
    cases = (
        case(
            f"test_a.py::test_{name}", Outcome.INCONCLUSIVE, CORE[0], reason=f"inconclusive: {doubted('a taint', name)}"
        )
        for name in "ab"
    )

    assert judge(run_of(*cases)).reasons[0] == "2 of 2 cases were not judged: a taint"
