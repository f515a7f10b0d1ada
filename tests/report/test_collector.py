"""From pytest's own reports to cases: every way in which a case may end."""

from __future__ import annotations

import pytest

from conformance.report.model import Case, CaseFunction, Outcome, Verdict
from conformance.report.run import Run
from tests.report.inner import Inner, StandIn

pytest_plugins = ["pytester"]

CASES = """
import pytest
from tests.report.inner import refuted

@pytest.fixture
def broken_before():
    raise RuntimeError("no cluster")

@pytest.fixture
def broken_after():
    yield
    raise RuntimeError("pod stays")

@pytest.fixture
def blocked():
    pytest.skip("blocked by test_inner.py::test_fails: node a did not reach x")

@pytest.mark.requirement("D-06", "D-09")
@pytest.mark.requirement("D-01")
def test_passes(): pass

def test_fails(): refuted()
def test_fails_otherwise(): assert 1 == 2, "sums"
def test_cannot_begin(broken_before): pass
def test_cannot_end(broken_after): pass
def test_fails_and_cannot_end(broken_after): refuted()
def test_does_not_apply(): pytest.skip("one device only")
def test_skips_and_cannot_end(broken_after): pytest.skip("one device only")
def test_is_blocked(blocked): pass
"""


@pytest.fixture
def cases(inner: Inner) -> dict[str, Case]:
    inner.pytester.makepyfile(test_inner=CASES)

    def block(run: Run) -> None:
        run.blocked.add("test_inner.py::test_is_blocked")

    inner.run(stand_in=StandIn(block))
    return {case.id.rpartition("::")[2]: case for case in inner.report.cases}


def test_outcomes_and_reasons(cases: dict[str, Case]) -> None:
    assert {name: (case.outcome, case.reason.splitlines()[:1]) for name, case in cases.items()} == {
        "test_passes": (Outcome.PASSED, []),
        "test_fails": (Outcome.FAILED, ["D-06 resources of node sim-0 under single, all-1g.10gb"]),
        "test_fails_otherwise": (Outcome.FAILED, ["AssertionError: sums"]),
        "test_cannot_begin": (Outcome.ERROR, ["RuntimeError: no cluster"]),
        "test_cannot_end": (Outcome.ERROR, ["RuntimeError: pod stays"]),
        "test_fails_and_cannot_end": (Outcome.FAILED, ["D-06 resources of node sim-0 under single, all-1g.10gb"]),
        "test_does_not_apply": (Outcome.SKIPPED, ["one device only"]),
        "test_skips_and_cannot_end": (Outcome.ERROR, ["RuntimeError: pod stays"]),
        "test_is_blocked": (Outcome.BLOCKED, ["blocked by test_inner.py::test_fails: node a did not reach x"]),
    }


def test_what_a_check_found_is_kept_as_data(cases: dict[str, Case]) -> None:
    found = {name: case.finding for name, case in cases.items() if case.finding}

    assert set(found) == {"test_fails", "test_fails_and_cannot_end"}
    assert found["test_fails"].subject == "resources of node sim-0 under single, all-1g.10gb"
    assert found["test_fails"].expected == ("nvidia.com/gpu: 7",)
    assert found["test_fails"].found == ("nvidia.com/gpu: 8",)


def test_requirements_come_from_the_marks(cases: dict[str, Case]) -> None:
    assert cases["test_passes"].requirements == ("D-06", "D-09", "D-01")


def test_an_interrupted_case_does_not_count_as_passed(inner: Inner) -> None:
    inner.pytester.makepyfile(
        test_inner="""
        import pytest

        @pytest.mark.requirement("D-01")
        def test_first(): pass

        def test_interrupted(): raise KeyboardInterrupt

        def test_last(): pass
        """
    )

    result = inner.run()

    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert [case.id for case in inner.report.cases] == ["test_inner.py::test_first"]
    assert inner.report.verdict is Verdict.PARTIAL
    assert "2 of 3 selected cases did not run to their end" in inner.report.reasons


def test_a_module_that_cannot_be_collected_is_a_case_that_broke(inner: Inner) -> None:
    inner.pytester.makepyfile(
        test_broken="import nowhere_to_be_found",
        test_sound="import pytest\n@pytest.mark.requirement('D-01')\ndef test_it(): pass",
    )

    inner.run("--continue-on-collection-errors")

    outcomes = {case.id: case.outcome for case in inner.report.cases}
    assert outcomes == {"test_broken.py": Outcome.ERROR, "test_sound.py::test_it": Outcome.PASSED}
    assert inner.report.verdict is Verdict.NOT_CERTIFIED


def test_a_module_that_was_left_out_narrows_the_run(inner: Inner) -> None:
    """`--ignore`, `--last-failed` and the like deselect nothing: they never collect."""
    inner.pytester.makepyfile(test_a="def test_a(): pass", test_b="def test_b(): pass")

    inner.run("--ignore=test_b.py")

    assert "no case of test_b.py was selected" in inner.report.reasons


@pytest.mark.parametrize("beyond", [True, False])
def test_a_module_beyond_the_profile_narrows_nothing(inner: Inner, *, beyond: bool) -> None:
    inner.pytester.makepyfile(test_a="def test_a(): pass", test_b="def test_b(): pass")

    def without_b(run: Run) -> None:
        run.functions["test_b"] = CaseFunction(
            module="test_b.py", requirements=("D-22",), level="extended", scenario="", statement="", source=""
        )
        if beyond:
            run.beyond_profile.add("test_b")

    inner.run("test_a.py", stand_in=StandIn(without_b))

    assert ("no case of test_b.py was selected" in inner.report.reasons) == (not beyond)


def test_what_is_narrowed_already_is_not_told_twice(inner: Inner) -> None:
    inner.pytester.makepyfile(test_a="def test_a(): pass", test_b="def test_b(): pass")

    inner.run("test_a.py", stand_in=StandIn(lambda run: run.narrowed.append("narrowed to test_a.py")))

    assert "narrowed to test_a.py" in inner.report.reasons
    assert not [reason for reason in inner.report.reasons if "test_b.py" in reason]
