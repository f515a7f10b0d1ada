"""The exit status of a run, and its last line, which says the same to whoever reads logs."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from conformance.report.model import NOT_JUDGED, Report, Required, Verdict

LAST_LINE: Final = "mig-conformance: verdict={verdict} exit={status} requirements={judged}/{total} report={path}"
"""Format of the last line; stable, fields are only added before `report`, which takes the rest of the line."""
_ENOUGH: Final = {
    Required.CERTIFIED: (Verdict.CERTIFIED,),
    Required.PARTIAL: (Verdict.CERTIFIED, Verdict.PARTIAL),
}


def exit_status(of_pytest: int, verdict: Verdict, required: Required) -> int:
    """Return the exit status of a run: that of pytest, but 1 in place of 0 if the verdict is less than required."""
    if of_pytest == pytest.ExitCode.OK and not suffices(verdict, required):
        return int(pytest.ExitCode.TESTS_FAILED)
    return int(of_pytest)


def suffices(verdict: Verdict, required: Required) -> bool:
    """Whether a verdict is at least the one that --require asks for."""
    return verdict in _ENOUGH[required]


def last_line(report: Report, path: Path) -> str:
    """Return the last line of a run's output.

    Args:
        report: The report.
        path: Where `report.json` is.
    """
    return LAST_LINE.format(
        verdict=report.verdict,
        status=report.exit_status,
        judged=sum(row.outcome not in NOT_JUDGED for row in report.requirements),
        total=len(report.requirements),
        path=path,
    )
