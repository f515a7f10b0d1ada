"""The pytest plug-in of the report: active only where conformance cases were asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from conformance.report import directory
from conformance.report.assemble import Ending, Stopwatch, assemble, facts
from conformance.report.collector import Collector
from conformance.report.exit_status import exit_status, last_line
from conformance.report.invocation import RUN, certifies
from conformance.report.model import Outcome, Report
from conformance.report.outputs import write_outputs
from conformance.report.run import Run
from conformance.report.terminal import published, summary
from conformance.report.verdict import judge

REPORT: Final = pytest.StashKey[Report]()
"""Where the configuration object of pytest keeps the report once it is written."""
_SHORT: Final = {
    Outcome.BLOCKED: ("blocked", "b", "BLOCKED"),
    Outcome.INCONCLUSIVE: ("inconclusive", "i", "INCONCLUSIVE"),
}
"""How pytest shows outcomes that it does not know: category, letter, and word."""
_WRITER: Final = pytest.StashKey["_Writer"]()
_ONLY_SHOWS: Final = ("collectonly", "help", "markers", "showfixtures", "show_fixtures_per_test", "plan")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options of the report."""
    directory.add_options(parser)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Prepare the report directory before JUnit and Allure read their paths, and create the run."""
    if not certifies(config) or any(config.getoption(name, default=False) for name in _ONLY_SHOWS):
        return
    folder = directory.prepare(config)
    config.stash[RUN] = Run()
    config.stash[_WRITER] = _Writer(config, config.stash[RUN], folder)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Register the writer last: pytest then ends the session for it before JUnit, which writes its file."""
    config = session.config
    if (writer := config.stash.get(_WRITER, None)) is not None:
        config.pluginmanager.register(writer, "conformance-report")
        config.pluginmanager.register(_Unwritten(writer), "conformance-report-unwritten")
        config.pluginmanager.register(Collector(config.stash[RUN]), "conformance-collector")
        config.pluginmanager.register(writer.allure, "conformance-allure-results")


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(
    report: pytest.CollectReport | pytest.TestReport, config: pytest.Config
) -> tuple[str, str, str] | None:
    """Show a case that was blocked or could not be judged as that, and not as skipped."""
    if not report.skipped or (run := config.stash.get(RUN, None)) is None:
        return None
    if report.nodeid in run.inconclusive:
        return _SHORT[Outcome.INCONCLUSIVE]
    return _SHORT[Outcome.BLOCKED] if report.nodeid in run.blocked else None


@pytest.fixture(scope="session", autouse=True)
def _suite_properties(pytestconfig: pytest.Config, record_testsuite_property: Callable[[str, object], None]) -> None:
    """Keep the function that sets JUnit's suite properties; their values are known only at the end."""
    if (writer := pytestconfig.stash.get(_WRITER, None)) is not None:
        writer.record_property = record_testsuite_property


class _Unwritten:
    """Keeps pytest's own JUnit file, where it cannot be written, from hiding the summary."""

    def __init__(self, writer: _Writer) -> None:
        self._writer = writer

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        """Tell it as for the other files. The terminal prints its summary afterwards."""
        try:
            yield
        except OSError as error:
            self._writer.fail(session, error)


class _Writer:
    """Writes the reports after the last case, when the cluster has been restored."""

    def __init__(self, config: pytest.Config, run: Run, folder: Path) -> None:
        self._config = config
        self._run = run
        self._folder = folder
        self._required = directory.report_options(config).require
        self._stopwatch = Stopwatch()
        self._report: Report | None = None
        self._unwritten = ""
        self._refused = False
        self.allure = directory.allure_results(config, run, folder)
        self.record_property: Callable[[str, object], None] | None = None

    @pytest.hookimpl(wrapper=True)
    def pytest_collection(self) -> Iterator[None]:
        """Keep the files of an earlier run if this one ends here, for example because of an unknown marker."""
        try:
            yield
        except pytest.UsageError:
            self._refused = True
            directory.keep_former(self._config)
            raise

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self) -> None:
        """Remove the report of an earlier run now that this one begins; returns None, so that pytest goes on."""
        if self._run.backend:
            directory.remove_former(self._folder)

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the reports; exit status 0 becomes 1 if the verdict is less than `--require` asks for.

        A run that was refused while its cases were collected writes nothing.
        """
        if not self._run.backend or self._refused:
            return
        self._run.status = int(session.exitstatus)
        judgement = judge(self._run)
        session.exitstatus = exit_status(session.exitstatus, judgement.verdict, self._required)
        ending = Ending(self._required, session.exitstatus)
        self._report = report = assemble(self._run, judgement, self._stopwatch, ending)
        try:
            directory.write_report(self._folder, report)
            write_outputs(self._folder, report)
            self._tell_others(facts(report))
        except OSError as error:
            self.fail(session, error)
        self._config.stash[REPORT] = self._report

    def fail(self, session: pytest.Session, error: OSError) -> None:
        """Let a run fail whose report could not be written: the disk is full, or the folder is gone."""
        self._unwritten = self._unwritten or f"ERROR: the report could not be written: {error}"
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED
        ending = Ending(self._required, session.exitstatus)
        self._report = assemble(self._run, judge(self._run), self._stopwatch, ending)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> Iterator[None]:
        """Print the summary after all other output of pytest."""
        yield
        if self._report is None:
            return
        terminalreporter.section("MIG conformance")
        for row in (*summary(self._report, self._folder), *published(self._run)):
            markup = {row.colour: True} if row.colour else {}
            for label, text in row.rendered():
                terminalreporter.write(label, bold=True)
                terminalreporter.write_line(text, **markup)
        if self._unwritten:
            terminalreporter.write_line(self._unwritten, red=True)

    @pytest.hookimpl(trylast=True)
    def pytest_unconfigure(self, config: pytest.Config) -> None:
        """Print the last line, after everything that pytest says."""
        terminal = config.pluginmanager.get_plugin("terminalreporter")
        if self._report is not None and terminal is not None:
            terminal.write_line(last_line(self._report, self._folder / directory.REPORT_FILE))

    def _tell_others(self, known: dict[str, str]) -> None:
        if self.record_property is not None:
            for name, value in known.items():
                self.record_property(name, value)
        self.allure.finish(known)
