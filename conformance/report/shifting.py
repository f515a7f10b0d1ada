"""Puts reports of several runs on one clock, one after the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from conformance.report.model import Report
from conformance.report.observations import Evidence, Stay, TimelineEntry


def shifted(reports: Sequence[Report]) -> Iterator[Report]:
    """Yield the reports with the times of the later ones counted from the start of the first.

    A run on a simulated cluster has a faster clock than the wall; a later run never begins before the end of an earlier
    one. Evidence of later runs gets the id of its run into its key, so that it does not replace that of an earlier one.

    Args:
        reports: In order of their start.
    """
    end = 0.0
    for number, report in enumerate(reports):
        start = _wall(report) - _wall(reports[0])
        by = round(max(start, end) if number else 0.0, 3)
        end = by + _length(report)
        yield _shift(report, by, f", run {report.run}") if number else report


def _wall(report: Report) -> float:
    return datetime.fromisoformat(report.started).timestamp()


def _length(report: Report) -> float:
    """Seconds of the cluster's clock until the last thing that the report knows of."""
    entries = (entry.time for timeline in report.timelines.values() for entry in timeline[-1:])
    stays = (stay.end for listed in report.stays.values() for stay in listed)
    return max((*entries, *stays), default=0.0)


def _shift(report: Report, by: float, mark: str) -> Report:
    return report.model_copy(
        update={
            "timelines": {node: tuple(_later(it, by) for it in found) for node, found in report.timelines.items()},
            "stays": {node: tuple(_later_stay(it, by) for it in found) for node, found in report.stays.items()},
            "evidence": {key + mark: _later_evidence(found, by) for key, found in report.evidence.items()},
            "cases": tuple(
                case if case.evidence is None else case.model_copy(update={"evidence": case.evidence + mark})
                for case in report.cases
            ),
        }
    )


def _later(entry: TimelineEntry, by: float) -> TimelineEntry:
    return entry.model_copy(update={"time": round(entry.time + by, 3)})


def _later_stay(stay: Stay, by: float) -> Stay:
    return stay.model_copy(update={"start": round(stay.start + by, 3), "end": round(stay.end + by, 3)})


def _later_evidence(evidence: Evidence, by: float) -> Evidence:
    timeline = tuple(_later(entry, by) for entry in evidence.timeline)
    return evidence.model_copy(update={"taken": round(evidence.taken + by, 3), "timeline": timeline})
