"""Where the reason lies, and what to look at next, for every way in which a case may end."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import conformance.expect
from conformance.cluster.errors import ClusterError, InconclusiveError
from conformance.expect.finding import CheckContext, ConformanceError, Finding
from conformance.report.causes import cause_of, component_of, doubted, explained, said_otherwise, trouble_of
from conformance.report.model import Case, CauseClass, Outcome
from conformance.spec.names import Strategy
from tests.report.made import case

FAILED_CHECK = ConformanceError(CheckContext((), "sim-0", Strategy.SINGLE, "x"), "resources", Finding())
SKIP = pytest.skip.Exception("inconclusive: somebody set the label")


@pytest.mark.parametrize(
    ("outcome", "error", "cause"),
    [
        (Outcome.PASSED, None, None),
        (Outcome.SKIPPED, pytest.skip.Exception("one device only"), None),
        (Outcome.FAILED, FAILED_CHECK, CauseClass.PRODUCT),
        (Outcome.FAILED, AssertionError("sums"), CauseClass.SUITE),
        (Outcome.ERROR, ClusterError("waited 40 s"), CauseClass.PRODUCT),
        (Outcome.ERROR, KeyError("state"), CauseClass.SUITE),
        (Outcome.BLOCKED, pytest.skip.Exception("blocked by x: y"), CauseClass.PRODUCT),
        (Outcome.INCONCLUSIVE, SKIP, CauseClass.ENVIRONMENT),
        (Outcome.INCONCLUSIVE, InconclusiveError("the API server does not answer"), CauseClass.ENVIRONMENT),
        (Outcome.INCONCLUSIVE, KeyError("state"), CauseClass.SUITE),
    ],
)
def test_class_of_the_cause(outcome: Outcome, error: BaseException | None, cause: CauseClass | None) -> None:
    assert cause_of(outcome, error) is cause


def steps(made: Case, *others: Case) -> tuple[str, ...]:
    return explained([made, *others], "nvidia")[0].next_steps


def test_a_likely_cause_is_that_of_the_check_or_else_of_the_component() -> None:
    known = Finding(subject="resources of node sim-0", likely=("the plugin is too old",))
    unknown = Finding(subject="resources of node sim-0")
    made = [
        case("test_a.py::test_a", Outcome.FAILED, finding=finding).model_copy(
            update={"node": "sim-0", "cause": CauseClass.PRODUCT}
        )
        for finding in (known, unknown)
    ]

    (first,), (second,) = (one.finding.likely for one in explained(made, "nvidia") if one.finding)

    assert first == "the plugin is too old"
    assert second.startswith("the device plugin on sim-0 still serves")


def test_a_finding_names_the_log_of_the_component_that_answers_for_it() -> None:
    finding = Finding(subject="resources of node sim-0 under single, all-1g.10gb")
    failed = case("test_a.py::test_a", Outcome.FAILED, finding=finding)

    first = steps(failed.model_copy(update={"node": "sim-0", "cause": CauseClass.PRODUCT}))[0]

    assert "kubectl -n nvidia logs" in first
    assert "app=nvidia-device-plugin-daemonset --field-selector spec.nodeName=sim-0" in first


def test_a_blocked_case_points_at_the_case_that_blocks_it_and_shares_its_cause() -> None:
    teller = case("test_a.py::test_a[x]", Outcome.ERROR).model_copy(update={"cause": CauseClass.SUITE})
    blocked = case("test_b.py::test_b", Outcome.BLOCKED, reason=f"blocked by {teller.id}: KeyError: 'state'")

    found = explained([teller, blocked.model_copy(update={"cause": CauseClass.PRODUCT})], "nvidia")[1]

    assert found.cause is CauseClass.SUITE
    assert found.next_steps == (f"mend what {teller.id} reports; this case could not judge because of it",)


def test_a_case_that_passed_has_no_next_step() -> None:
    assert steps(case("test_a.py::test_a")) == ()


@pytest.mark.parametrize("cause", CauseClass)
def test_every_cause_has_a_next_step_without_a_placeholder_left(cause: CauseClass) -> None:
    found = steps(case("test_a.py::test_a", Outcome.ERROR).model_copy(update={"cause": cause}))

    assert found
    assert not [step for step in found if "{node}" in step or "{operator}" in step or "{blocker}" in step]


def subjects() -> Iterator[str]:
    """Beginnings of the subjects of all checks, as they stand in the code."""
    for path in sorted(Path(str(conformance.expect.__file__)).parent.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "ConformanceError":
                yield from _beginning(node.args[1])


def _beginning(subject: ast.expr) -> Iterator[str]:
    if isinstance(subject, ast.Constant):
        yield str(subject.value)
    elif isinstance(subject, ast.JoinedStr):
        yield from _beginning(subject.values[0])


def test_a_component_answers_for_the_subject_of_every_check() -> None:
    found = set(subjects())

    assert len(found) > 25
    assert {subject for subject in found if component_of(subject) is None} == set()


def test_the_reason_of_a_doubted_case_gives_back_both_of_its_parts() -> None:
    reason = f"inconclusive: {doubted('a taint (by kubectl)', 'D-20 pod x (on node a)')}"

    assert (trouble_of(reason), said_otherwise(reason)) == ("a taint (by kubectl)", "D-20 pod x (on node a)")
    assert (trouble_of("no answer\nmore"), said_otherwise("no answer")) == ("no answer", "")
