"""The options of the report."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from conformance.flags import flag, path


@dataclass(frozen=True)
class ReportOptions:
    """Where results go.

    Attributes:
        directory: Folder for report.json, junit.xml and allure-results/; None for `reports/` of the current folder.
    """

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
