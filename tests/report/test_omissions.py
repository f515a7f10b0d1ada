"""What was not tested, and why: every way in which a case may be missing."""

from __future__ import annotations

from conformance.report.model import CaseCell, CaseFunction, LeftOut, NotTested, Outcome
from conformance.report.run import Place, Run
from tests.report.made import CORE, EVERY, case, report_of, run_of, whole_run


def by_reason(run: Run) -> dict[str, NotTested]:
    return {one.reason: one for one in report_of(run).not_tested}


def test_reasons_are_joined_over_cases_and_nodes() -> None:
    skipped = [
        case(f"test_a.py::test_a[{node}]", Outcome.SKIPPED, "D-06", reason="one GPU\nmore").model_copy(
            update={"node": node}
        )
        for node in ("b", "a")
    ]
    unknown = case("test_b.py::test_b", Outcome.INCONCLUSIVE, "D-01", reason="inconclusive: no answer")
    found = by_reason(whole_run(*skipped, unknown))

    assert found["one GPU"] == NotTested(
        reason="one GPU", cause="skipped", cases=2, requirements=("D-06",), nodes=("a", "b")
    )
    assert (found["no answer"].cause, found["no answer"].requirements) == ("inconclusive", ("D-01",))


def test_what_was_left_out_counts_its_places_and_names_the_node() -> None:
    run = whole_run()
    run.nodes_left_out = {"sim-1": "node sim-1 is in use"}
    run.left_out = [
        LeftOut(case="a", requirements=("D-06",), outcome="not-allowed", reason="node sim-1 is in use", places=7),
        LeftOut(case="b", requirements=("D-07",), outcome="not-allowed", reason="node sim-1 is in use", places=3),
    ]

    found = by_reason(run)["node sim-1 is in use"]

    assert (found.cause, found.cases, found.requirements) == ("not-allowed", 10, ("D-06", "D-07"))
    assert found.nodes == ("sim-1",)


def test_cases_that_did_not_come_to_their_end_are_unfinished() -> None:
    run = whole_run()
    run.selected.append("conformance/cases/test_z.py::test_z")

    assert by_reason(run)["the run ended before"].cases == 1


def test_requirements_without_a_case_are_named_once() -> None:
    found = by_reason(run_of(case("test_a.py::test_a", Outcome.PASSED, *CORE)))

    assert found["no case was selected"].cause == "no-case"
    assert found["no case was selected"].requirements == tuple(sorted(set(EVERY) - set(CORE)))


def test_requirements_whose_cases_did_not_end_have_cases() -> None:
    run = run_of(case("test_a.py::test_a", Outcome.PASSED, *EVERY[:-1]))
    run.selected.append("test_z.py::test_z")
    run.places["test_z.py::test_z"] = Place(
        "test_z", "sim-0", CaseCell(strategy="single", configuration="all-disabled")
    )
    run.functions["test_z"] = CaseFunction(
        module="test_z.py", requirements=EVERY[-1:], level="core", scenario="", statement="", source=""
    )

    assert [one.cause for one in report_of(run).not_tested] == ["unfinished"]


def test_a_run_that_tested_everything_left_nothing_out() -> None:
    assert report_of(run_of(case("test_a.py::test_a", Outcome.PASSED, *EVERY))).not_tested == ()
