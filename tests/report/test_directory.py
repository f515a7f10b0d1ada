from __future__ import annotations

from pathlib import Path

import pytest

from conformance.report.directory import write_report
from tests.report.inner import Inner
from tests.report.made import report_of, whole_run

pytest_plugins = ["pytester"]


@pytest.mark.parametrize("below", ["file", "file/deeper/still"])
def test_a_directory_that_cannot_be_made_is_one_clear_error(inner: Inner, below: str) -> None:
    """Below a file nobody can make a folder, not even root."""
    inner.pytester.makepyfile(test_inner="def test_it(): raise SystemExit('must not run')")
    inner.pytester.path.joinpath("file").write_text("", encoding="utf-8")

    result = inner.run(f"--report-dir={below}")

    why = "File exists" if below == "file" else "Not a directory"
    message = f"cannot write reports to {inner.pytester.path / below}: {why}; give another folder with --report-dir"
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert [line for line in result.errlines if line] == [f"ERROR: {message}"]
    assert not result.outlines


def test_a_report_that_cannot_be_replaced_is_found_before_the_run(inner: Inner) -> None:
    inner.reports.joinpath("report.json").mkdir(parents=True)

    result = inner.run()

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "cannot write reports to" in result.stderr.str()


def test_the_report_of_an_earlier_run_does_not_outlive_it(inner: Inner) -> None:
    inner.reports.mkdir()
    inner.reports.joinpath("report.json").write_text("{}", encoding="utf-8")
    inner.pytester.makepyfile(test_inner="def test_it(): import os; os.listdir('out').index('report.json')")

    inner.run()

    assert "is not in list" in inner.report.cases[0].reason


def test_a_relative_directory_is_below_where_pytest_was_started(inner: Inner, monkeypatch: pytest.MonkeyPatch) -> None:
    inner.pytester.makepyfile(test_inner="def test_it(): pass")
    deeper = inner.pytester.mkdir("deeper")
    monkeypatch.chdir(deeper)

    inner.run(str(inner.pytester.path))

    assert (deeper / "out" / "report.json").exists()


def test_the_default_is_reports_of_the_project(inner: Inner) -> None:
    inner.pytester.makepyfile(test_inner="def test_it(): pass")
    inner.pytester.makeini("[pytest]")

    inner.pytester.runpytest_inprocess("-p", "conformance.report.plugin", "-p", "no:randomly")

    assert (inner.pytester.path / "reports" / "junit.xml").exists()


def test_a_report_replaces_the_one_before_as_a_whole(tmp_path: Path) -> None:
    report = report_of(whole_run())

    write_report(tmp_path, report)
    write_report(tmp_path, report)

    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]
