"""The page for a pull request: short, and complete about what failed."""

from __future__ import annotations

import pytest

from conformance.report.brief import summary_text
from conformance.report.model import NOT_JUDGED, Case, CauseClass, Outcome
from tests.report.kinds import KINDS, certified, interrupted, not_certified, partial
from tests.report.made import EVERY, case, report_of, whole_run


@pytest.mark.parametrize("kind", KINDS)
def test_verdict_exit_status_and_number_of_requirements_are_at_the_top(kind: str) -> None:
    report = KINDS[kind]()
    head, _, sentence, *_ = summary_text(report).splitlines()
    judged = sum(row.outcome not in NOT_JUDGED for row in report.requirements)

    assert head.endswith(f"MIG conformance: {report.verdict}")
    assert f"The run speaks of {judged} of 28 requirements" in sentence
    assert f"Exit status {report.exit_status}; `certified` was required." in sentence


def test_a_failed_requirement_has_node_expected_found_and_next_step() -> None:
    (row,) = [line for line in summary_text(not_certified()).splitlines() if line.startswith("| D-06")]

    assert row == (
        "| D-06 Resources under single | sim-0 | `nvidia.com/gpu: 7` | `nvidia.com/gpu: 8` "
        "| read the log of the device plugin on sim-0 |"
    )


def test_what_was_not_judged_is_named_with_the_reason() -> None:
    text = summary_text(partial())

    assert "- untested: D-03, D-08" in text
    assert "- 2 not-allowed: needs --allow-reboot" in text
    assert "- narrowed to --node sim-0" in text
    assert "### Failed" not in text


def test_an_interrupted_run_says_so() -> None:
    assert "It was interrupted." in summary_text(interrupted())
    assert "It was interrupted." not in summary_text(certified())


def test_a_run_in_which_everything_fails_still_fits_a_comment() -> None:
    """GitHub takes 65,536 characters in a comment."""

    def failed(number: int) -> Case:
        name, node = EVERY[number % len(EVERY)], f"node-{number}"
        made = case(f"test_a.py::test_{number}", Outcome.ERROR, name, reason=f"{'waited long ' * 100}\n{node}")
        return made.model_copy(update={"node": node, "cause": CauseClass.PRODUCT})

    text = summary_text(report_of(whole_run(*map(failed, range(3000)))))

    assert len(text) < 8000
    assert "and 18 more" in text


def test_an_odd_requirement_breaks_no_table() -> None:
    report = not_certified()
    odd = tuple(row.model_copy(update={"id": f"{row.id}|\n|"}) for row in report.requirements)
    cases = tuple(
        case.model_copy(update={"requirements": tuple(f"{name}|\n|" for name in case.requirements)})
        for case in report.cases
    )
    text = summary_text(report.model_copy(update={"requirements": odd, "cases": cases}))

    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert rows == [line for line in rows if line.endswith(" |")]
    assert "| D-06\\| \\| " in text
