"""A whole run: what it leaves in the report directory, what it says last, and how it exits."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from conformance.operations.restored import Restore, RestoreOutcome
from conformance.report.model import Verdict
from conformance.report.outputs import WRITERS
from conformance.report.run import Run
from tests.report.inner import Inner, StandIn
from tests.report.made import CORE

pytest_plugins = ["pytester"]

CORE_CASES = f"""
import pytest

@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.requirement(name)) for name in {CORE}])
def test_core(name): pass
"""
FAILED_RESTORE = Restore(RestoreOutcome.FAILED, ("sim-0: nvidia.com/mig.config is a, was b",))


@pytest.fixture
def sound(inner: Inner) -> Inner:
    inner.pytester.makepyfile(test_inner=CORE_CASES)
    return inner


def test_a_certified_run(sound: Inner) -> None:
    result = sound.run()

    assert result.ret == pytest.ExitCode.OK
    assert sound.report.verdict is Verdict.CERTIFIED
    assert sound.report.timelines["sim-0"][0].change == "x=1"
    written = {path.name for path in sound.reports.iterdir()}
    assert written == {*WRITERS, "report.json", "junit.xml", "allure-results", "allurerc.json"}


def test_the_summary_comes_after_the_list_of_failures(sound: Inner) -> None:
    sound.pytester.makepyfile(test_more="def test_more(): assert False")

    lines = sound.run("-rf").outlines

    summary = next(number for number, line in enumerate(lines) if "MIG conformance" in line)
    assert any(line.startswith("FAILED test_more.py::test_more") for line in lines[:summary])
    assert lines[summary + 1].startswith("verdict       not-certified")
    assert lines[-3].startswith("report        ")


def test_the_last_line_says_verdict_and_exit_status(sound: Inner) -> None:
    result = sound.run("-q", "--require=partial")

    assert result.outlines[-1] == (
        f"mig-conformance: verdict=certified exit=0 requirements=13/28 report={sound.reports / 'report.json'}"
    )


@pytest.mark.parametrize(
    ("given", "code"),
    [((), pytest.ExitCode.TESTS_FAILED), (("--require=partial",), pytest.ExitCode.OK)],
)
def test_a_narrowed_run_is_green_only_where_that_was_asked_for(
    sound: Inner, given: tuple[str, ...], code: pytest.ExitCode
) -> None:
    result = sound.run(*given, stand_in=StandIn(lambda run: run.narrowed.append("narrowed to --node sim-0")))

    assert (result.ret, sound.report.verdict) == (code, Verdict.PARTIAL)
    assert (sound.report.exit_status, sound.report.require == "partial") == (code, bool(given))
    assert f" exit={code:d} " in result.outlines[-1]


def test_nothing_less_than_partial_can_be_required(sound: Inner) -> None:
    result = sound.run("--require=inconclusive")

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --require*certified*partial*"])
    assert not sound.reports.exists()


def test_verdict_is_coloured_where_colours_are_wanted(sound: Inner) -> None:
    text = sound.run("--color=yes").stdout.str()

    assert "\x1b[1mverdict       \x1b[0m\x1b[32mcertified" in text


def test_files_go_where_the_user_sends_them(sound: Inner) -> None:
    sound.run("--junitxml=elsewhere.xml", "--alluredir=allure")

    assert {path.name for path in sound.reports.iterdir()} == {*WRITERS, "report.json"}
    assert (sound.pytester.path / "elsewhere.xml").exists()
    assert (sound.pytester.path / "allure" / "environment.properties").exists()


@pytest.mark.parametrize(
    ("cases", "restore", "code"),
    [
        ("def test_extended_only(): pass", Restore(), pytest.ExitCode.TESTS_FAILED),
        (CORE_CASES, FAILED_RESTORE, pytest.ExitCode.TESTS_FAILED),
        (CORE_CASES, Restore(RestoreOutcome.EXACT), pytest.ExitCode.OK),
    ],
)
def test_a_run_that_certifies_nothing_is_not_green(
    inner: Inner, cases: str, restore: Restore, code: pytest.ExitCode
) -> None:
    inner.pytester.makepyfile(test_inner=cases)

    assert inner.run(stand_in=StandIn(restore=restore)).ret == code
    assert inner.report.exit_status == code


INCONCLUSIVE_CASE = """
import pytest

@pytest.fixture
def evidence():
    pytest.skip("inconclusive: the API server does not answer")

@pytest.mark.requirement("D-06")
def test_it(evidence): pass
"""


def test_an_interrupted_run_writes_every_file(inner: Inner) -> None:
    inner.pytester.makepyfile(test_inner=CORE_CASES, test_more="def test_ends(): raise KeyboardInterrupt")

    result = inner.run()

    assert (result.ret, inner.report.exit_status, inner.report.interrupted) == (2, 2, True)
    assert "The run was interrupted" in (inner.reports / "index.html").read_text(encoding="utf-8")
    assert "Exit status 2" in (inner.reports / "summary.md").read_text(encoding="utf-8")
    assert "mig_conformance_exit_status 2.0" in (inner.reports / "metrics.prom").read_text(encoding="utf-8")
    assert result.outlines[-1].startswith("mig-conformance: verdict=partial exit=2 ")


def test_a_report_that_cannot_be_written_is_told_after_the_summary(inner: Inner) -> None:
    """The disk is full, or somebody removed the folder."""
    lost = "import pathlib, shutil\ndef test_lost(): shutil.rmtree('out', True); pathlib.Path('out').write_text('')"
    inner.pytester.makepyfile(test_inner=CORE_CASES, test_more=lost)

    result = inner.run()

    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        ["verdict       certified*", "ERROR: the report could not be written: *out/report.json*"]
    )
    assert result.outlines[-1].startswith("mig-conformance: verdict=certified exit=1 ")
    assert "Traceback" not in result.stdout.str() + result.stderr.str()


def test_a_run_that_could_not_judge_says_so_everywhere_and_is_not_green(inner: Inner) -> None:
    inner.pytester.makepyfile(test_inner=CORE_CASES, test_more=INCONCLUSIVE_CASE)

    result = inner.run(stand_in=StandIn(lambda run: run.could_not_judge("test_more.py::test_it", "sim-0", "no answer")))

    assert (result.ret, inner.report.verdict) == (pytest.ExitCode.TESTS_FAILED, Verdict.INCONCLUSIVE)
    result.stdout.fnmatch_lines(["verdict       inconclusive, speaks of 12 of 28*", "*13 passed*1 inconclusive*"])
    assert "failed" not in result.stdout.str()
    suite = ET.parse(inner.reports / "junit.xml").getroot()[0]  # noqa: S314 - our own file
    assert [found.get("message") for found in suite.iter("skipped")] == ["inconclusive: the API server does not answer"]
    assert (suite.get("failures"), suite.get("errors")) == ("0", "0")


def test_pytest_s_own_exit_status_stays(inner: Inner) -> None:
    assert inner.run().ret == pytest.ExitCode.NO_TESTS_COLLECTED


def test_no_report_where_no_cluster_was_reached(sound: Inner) -> None:
    """The usage error that says so is all there is to say."""

    def unreachable(run: Run) -> None:
        run.backend = ""
        raise pytest.UsageError("the API server does not answer")

    result = sound.run(stand_in=StandIn(unreachable))

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert not (sound.reports / "report.json").exists()
    assert "MIG conformance" not in result.stdout.str()


@pytest.mark.parametrize("option", ["--help", "--markers", "--fixtures"])
def test_questions_to_pytest_touch_no_report(sound: Inner, option: str) -> None:
    sound.pytester.runpytest_inprocess("-p", "conformance.report.plugin", "--report-dir=out", option)

    assert not sound.reports.exists()


def test_tests_of_the_suite_itself_write_no_report(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_inner="def test_it(): pass")

    result = pytester.runpytest_inprocess("-p", "conformance.report.plugin", "--report-dir=out")

    assert result.ret == pytest.ExitCode.OK
    assert not Path(pytester.path, "out").exists()
