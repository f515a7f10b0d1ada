"""The report directory, which is created and tested before a run begins."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import pytest
from _pytest.junitxml import xml_key  # the only way to its plug-in, which has no name

from conformance.flags import OptionError, declare, read
from conformance.report.allure_results import AllureResults
from conformance.report.model import Report
from conformance.report.options import ReportOptions
from conformance.report.outputs import check_outputs, remove_outputs, write_whole
from conformance.report.run import Run

REPORT_FILE: Final = "report.json"
JUNIT_FILE: Final = "junit.xml"
ALLURE_FOLDER: Final = "allure-results"


def add_options(parser: pytest.Parser) -> None:
    """Declare the options of the report."""
    declare(ReportOptions, parser.getgroup("conformance report").addoption)


def prepare(config: pytest.Config) -> Path:
    """Create the report directory and let JUnit write into it, unless the user chose another path.

    The files of an earlier run stay until this one begins, see `remove_former`.

    Raises:
        pytest.UsageError: The directory cannot be made or written.
    """
    directory = report_directory(config)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            check_outputs(directory, REPORT_FILE)
    except OSError as error:
        raise pytest.UsageError(
            f"cannot write reports to {directory}: {error.strerror}; give another folder with --report-dir"
        ) from error
    if config.getoption("xmlpath", None) is None:
        config.option.xmlpath = str(directory / JUNIT_FILE)
    return directory


def remove_former(directory: Path) -> None:
    """Remove the report of an earlier run, so that its verdict cannot be taken for that of a run that was killed."""
    (directory / REPORT_FILE).unlink(missing_ok=True)
    remove_outputs(directory)


def keep_former(config: pytest.Config) -> None:
    """Keep JUnit's file of an earlier run in the report directory: this one could not begin."""
    junit = config.stash.get(xml_key, None)
    if junit is not None and Path(junit.logfile) == report_directory(config) / JUNIT_FILE:
        del config.stash[xml_key]
        config.pluginmanager.unregister(junit)


def allure_results(config: pytest.Config, run: Run, directory: Path) -> AllureResults:
    """Return what writes Allure's results in place of allure-pytest, to `--alluredir` or into the report directory."""
    chosen = config.getoption("allure_report_dir", None)
    config.option.allure_report_dir = None
    if chosen is None:
        return AllureResults(directory / ALLURE_FOLDER, run, own=True)
    return AllureResults(config.invocation_params.dir / chosen, run, own=False, clean=config.option.clean_alluredir)


def report_directory(config: pytest.Config) -> Path:
    """The folder given with `--report-dir`, else `reports/` of the folder in which pytest was started."""
    return report_options(config).directory or config.invocation_params.dir / "reports"


def report_options(config: pytest.Config) -> ReportOptions:
    """Read the options of the report.

    Raises:
        pytest.UsageError: A value is invalid; the message says what is valid.
    """
    try:
        return read(ReportOptions, vars(config.option))
    except OptionError as error:
        raise pytest.UsageError(str(error)) from error


def write_report(directory: Path, report: Report) -> None:
    """Write `report.json` as a whole or not at all."""
    write_whole(directory / REPORT_FILE, report.model_dump_json(indent=1) + "\n")
