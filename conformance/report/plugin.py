"""The pytest plug-in of the report: active only where conformance cases were asked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from conformance.report import directory, terminal
from conformance.report.collector import Collector
from conformance.report.model import Report
from conformance.report.run import RUN, Run, certifies
from conformance.report.verdict import core_case_ran, judge

_REPORT: Final = pytest.StashKey[Report]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options of the report."""
    directory.add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Begin a run, with its report directory known to be writable."""
    if not certifies(config) or config.option.collectonly:
        return
    folder = directory.prepare(config)
    run = config.stash[RUN] = Run()
    config.pluginmanager.register(_Writer(config, run, folder), "conformance-report")


class _Writer:
    """Collects while the cases run and writes at the end."""

    def __init__(self, config: pytest.Config, run: Run, folder: Path) -> None:
        self._config = config
        self._run = run
        self._folder = folder
        self._collector = Collector(run)
        config.pluginmanager.register(self._collector, "conformance-collector")

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        """Write the report; a run that certifies nothing is not green."""
        yield
        if not self._run.backend:
            return
        judgement = judge(self._run)
        report = self._config.stash[_REPORT] = self._collector.report(judgement)
        path = self._folder / directory.REPORT_FILE
        path.write_text(report.model_dump_json(indent=1) + "\n", encoding="utf-8")
        green = core_case_ran(report.cases) and report.restore.outcome != "failed"
        if session.exitstatus == pytest.ExitCode.OK and not green:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say the verdict and what it rests on."""
        report = self._config.stash.get(_REPORT, None)
        if report is None:
            return
        terminalreporter.section("MIG conformance")
        first, *rest = terminal.summary_lines(report, self._folder)
        terminalreporter.write_line(first, bold=True, **{terminal.COLOURS[report.verdict]: True})
        for line in rest:
            terminalreporter.write_line(line)

