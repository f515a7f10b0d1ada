"""What is said of a run in few words: for a ConfigMap, and for the termination message of a pod."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from conformance.report.layout import Row
from conformance.report.model import Report
from conformance.report.terminal import summary
from conformance.spec.times import api_time

RUNNING: Final = "running"
"""In place of a verdict while the run goes on. It stays if the pod is killed."""
NONE: Final = "none"
"""In place of a verdict if the run could not begin."""
LONGEST_MESSAGE: Final = 4096
"""Bytes of a termination message. Source: Kubernetes documentation, "Determine the Reason for Pod Failure"."""
LONGEST_SUMMARY: Final = 500_000
"""Characters of a summary; a ConfigMap holds 1 MiB."""


def begun() -> dict[str, str]:
    """Return the data of a run that begins, in place of all that an earlier run left."""
    return {"verdict": RUNNING, "reasons": "", "summary": "", "started": _now(), "ended": ""}


def ended(report: Report | None, folder: Path) -> dict[str, str]:
    """Return the data of a run that has ended; without a report, it could not begin."""
    if report is None:
        return {"verdict": NONE, "reasons": "the run could not begin: see the log of its pod", "ended": _now()}
    return {
        "verdict": report.verdict,
        "reasons": "\n".join(report.reasons),
        "summary": "\n".join(_text(summary(report, folder)))[:LONGEST_SUMMARY],
        "ended": _now(),
    }


def message(report: Report, problems: Sequence[str] = ()) -> str:
    """Return the verdict, problems and its reasons in one line, no longer than a termination message may be."""
    said = (*problems, *report.reasons)
    text = f"{report.verdict}: {'; '.join(said)}" if said else str(report.verdict)
    return text.encode()[:LONGEST_MESSAGE].decode(errors="ignore")


def _text(rows: Iterable[Row]) -> Iterator[str]:
    for row in rows:
        for label, line in row.rendered():
            yield (label + line).rstrip()


def _now() -> str:
    return api_time(datetime.now(UTC))
