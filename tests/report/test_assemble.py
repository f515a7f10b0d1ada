"""The report has everything that was collected."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as some

from conformance.report.model import LeftOut, Outcome
from tests.report.made import CORE, case, report_of, run_of, whole_run

LEFT_OUT = some.builds(
    LeftOut,
    case=some.sampled_from(["a", "b"]),
    requirements=some.sampled_from([(name,) for name in CORE]),
    outcome=some.sampled_from(["not-allowed", "skipped"]),
    reason=some.sampled_from(["needs --allow-disruptive", "--sample leaves the node out"]),
    places=some.integers(1, 1000),
)
ENDED = some.lists(some.sampled_from([outcome for outcome in Outcome if outcome is not Outcome.NOT_ALLOWED]))


@given(some.lists(LEFT_OUT, max_size=4), ENDED)
def test_the_summary_counts_cases_that_ended_and_places_that_were_left_out(
    left_out: list[LeftOut], ended: list[Outcome]
) -> None:
    run = run_of(*(case(f"test_a.py::test_{number}", outcome) for number, outcome in enumerate(ended)))
    run.left_out = left_out

    summary = report_of(run).summary

    assert set(summary) == {outcome.value for outcome in Outcome}
    for outcome in Outcome:
        places = sum(one.places for one in left_out if one.outcome == outcome)
        assert summary[outcome] == ended.count(outcome) + places


def test_what_was_left_out_and_how_often_the_server_was_asked_is_told() -> None:
    run = whole_run()
    run.left_out = [LeftOut(case="a", requirements=("D-06",), outcome="skipped", reason="--sample", places=7)]
    run.requests = lambda: {"get": 3, "patch": 2}

    report = report_of(run)

    assert report.left_out == tuple(run.left_out)
    assert report.api_requests == {"get": 3, "patch": 2}
