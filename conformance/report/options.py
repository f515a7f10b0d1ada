"""The options of the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from conformance.flags import flag, member_of, path
from conformance.report.model import Required


@dataclass(frozen=True)
class ReportOptions:
    """Where results go, and what the exit status says.

    Attributes:
        require: The least verdict for exit status 0.
        directory: Folder for report.json, junit.xml and allure-results/; None for `reports/` of the current folder.
    """

    require: Required = field(
        default=Required.CERTIFIED,
        metadata=flag(
            "--require",
            read=member_of(Required),
            help="least verdict for exit status 0; partial: also a run that was narrowed or only read",
        ),
    )
    directory: Path | None = field(
        default=None,
        metadata=flag(
            "--report-dir",
            metavar="DIR",
            read=path,
            help="where report.json, junit.xml and allure-results/ go",
            default="reports/",
        ),
    )
