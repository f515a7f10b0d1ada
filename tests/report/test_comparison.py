"""What changed between two runs, and what of it is worse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as some

from conformance.report.comparison import Comparison, compare, comparison_text
from conformance.report.model import BAD_OUTCOMES, Outcome, Report
from conformance.report.observations import Convergence
from tests.report.kinds import KINDS, certified, inconclusive, not_certified, partial
from tests.report.made import CORE, case, report_of, whole_run


def changes(found: Comparison) -> dict[str, tuple[str | None, str | None, bool]]:
    return {one.name: (one.old, one.new, one.regression) for one in (*found.requirements, *found.cases)}


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_does_not_differ_from_itself(kind: str) -> None:
    report = KINDS[kind]()
    found = compare(report, report)

    assert not found.regression
    assert (found.requirements, found.cases, found.added, found.gone, found.versions) == ((), (), (), (), ())
    assert comparison_text(found).startswith("## ✅ MIG conformance compared: 0 regressions")


@pytest.mark.parametrize(
    ("old", "new", "worse"),
    [
        (certified(), not_certified(), True),
        (certified(), partial(), True),
        (certified(), inconclusive(), True),
        (not_certified(), certified(), False),
        (partial(), certified(), False),
        (not_certified(), inconclusive(), False),
    ],
)
def test_a_lower_verdict_is_a_regression(old: Report, new: Report, *, worse: bool) -> None:
    assert compare(old, new).verdict.regression is worse


@given(some.sampled_from(Outcome), some.sampled_from(Outcome))
def test_a_case_is_worse_if_it_had_passed_and_then_did_not_hold(was: Outcome, now: Outcome) -> None:
    old, new = (report_of(whole_run(case("test_a.py::test_a", outcome))) for outcome in (was, now))

    found = {one.name: one.regression for one in compare(old, new).cases}

    assert (len(found) == 0) == (was is now)
    if found:
        assert found == {"conformance/cases/test_a.py::test_a": was is Outcome.PASSED and now in BAD_OUTCOMES}


def test_a_requirement_that_does_not_pass_any_more_is_worse() -> None:
    unknown = report_of(whole_run(case("test_a.py::test_a", Outcome.INCONCLUSIVE, CORE[0], reason="inconclusive: x")))
    failed = report_of(whole_run(case("test_a.py::test_a", Outcome.FAILED, CORE[0])))

    assert changes(compare(certified(), unknown))[CORE[0]] == ("passed", "inconclusive", True)
    assert changes(compare(certified(), failed))[CORE[0]] == ("passed", "failed", True)
    assert changes(compare(failed, certified()))[CORE[0]] == ("failed", "passed", False)


def test_cases_of_one_run_alone_are_named_and_are_no_regression() -> None:
    found = compare(certified(), report_of(whole_run(case("test_a.py::test_more"))))

    assert found.added == ("conformance/cases/test_a.py::test_more",)
    assert not found.cases
    assert "Cases of the new run alone" in comparison_text(found)


def test_versions_and_times_are_shown() -> None:
    old = certified()
    environment = old.environment.model_copy(update={"driver": "580.1", "operator": "v26.8.0"})
    slower = Convergence(
        gpu_model="NVIDIA H100 80GB HBM3", change="label-to-success", n=2, minimum=20, median=40.0, maximum=60
    )
    found = compare(old, old.model_copy(update={"environment": environment, "convergence": (slower,)}))

    assert {one.name: (one.old, one.new) for one in found.versions} == {
        "operator": ("v26.7.0", "v26.8.0"),
        "driver": (None, "580.1"),
    }
    assert [(it.change, it.old, it.new) for it in found.convergence] == [("label-to-success", 13.5, 40.0)]
    assert not found.regression
    assert "| NVIDIA H100 80GB HBM3, label-to-success | 13.5 s | 40.0 s |" in comparison_text(found)


def test_regressions_come_first_and_long_lists_are_cut() -> None:
    fine = [case(f"test_a.py::test_{number}", Outcome.FAILED) for number in range(80)]
    old = report_of(whole_run(*fine, case("test_a.py::test_last")))
    now = [case(f"test_a.py::test_{number}") for number in range(80)]
    text = comparison_text(compare(old, report_of(whole_run(*now, case("test_a.py::test_last", Outcome.FAILED)))))

    rows = [line for line in text.splitlines() if line.startswith("| conformance/cases")]
    assert len(rows) == 50
    assert "test\\_last | passed | failed ❌ |" in rows[0]
    assert "and 31 more" in text
