"""Where results land: made ready, and found writable, before anything else happens."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Final

import pytest

REPORT_FILE: Final = "report.json"
JUNIT_FILE: Final = "junit.xml"
ALLURE_FOLDER: Final = "allure-results"


def add_options(parser: pytest.Parser) -> None:
    """Declare `--report-dir`."""
    parser.getgroup("conformance report").addoption(
        "--report-dir",
        type=Path,
        default=None,
        metavar="DIR",
        help="where report.json, junit.xml and allure-results/ go (default: reports/)",
    )


def prepare(config: pytest.Config) -> Path:
    """Make the report directory and point JUnit and Allure into it, unless the user sent them elsewhere.

    Raises:
        pytest.UsageError: The directory cannot be made or written.
    """
    directory = report_directory(config)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        raise pytest.UsageError(
            f"cannot write reports to {directory}: {error.strerror}; give another folder with --report-dir"
        ) from error
    if config.option.xmlpath is None:
        config.option.xmlpath = str(directory / JUNIT_FILE)
    if config.option.allure_report_dir is None:
        config.option.allure_report_dir = str(directory / ALLURE_FOLDER)
        config.option.clean_alluredir = True
    return directory


def report_directory(config: pytest.Config) -> Path:
    """The folder given with `--report-dir`, else `reports/` of the project."""
    given: Path | None = config.getoption("--report-dir")
    return Path(config.invocation_params.dir, given) if given else config.rootpath / "reports"
