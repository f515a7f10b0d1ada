"""Since when a failure was so, as far as the timeline of its node shows it."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence

from conformance.expect.finding import Finding
from conformance.report.observations import Stay, TimelineEntry
from conformance.spec.names import MIG_CONFIG, MIG_CONFIG_STATE, PREFIX, State

_LINE = re.compile(r"(?P<name>[\w./-]+)(?:: |=)(?P<value>[\w./-]+)")


def onset(finding: Finding | None, stay: Stay, entries: Sequence[TimelineEntry]) -> float:
    """Return when the stay first showed a value that the finding names.

    If the timeline shows none, the failure began when the node was asked for the configuration, or later.

    Args:
        finding: What was expected and found; None if the case broke.
        stay: The time of the node in its cell.
        entries: The timeline of the node, in order of time.

    Returns:
        In seconds as in `TimelineEntry.time`, within the stay.
    """
    first = bisect_left(entries, stay.start, key=_time)
    during = entries[first : bisect_right(entries, stay.end, lo=first, key=_time)]
    wrong = list(_wrong(finding)) if finding else []
    shown = (entry.time for entry in during if any(_shows(entry, name, value) for name, value in wrong))
    asked = (entry.time for entry in during if entry.values.get(MIG_CONFIG) is not None)
    return next(shown, next(asked, stay.start))


def _time(entry: TimelineEntry) -> float:
    return entry.time


def _wrong(finding: Finding) -> Iterator[tuple[str, str]]:
    """Names and values that are not as they must be: labels, resources, and states."""
    for line in finding.unexpected or finding.found:
        if line in finding.expected:
            continue
        if line in set(State):
            yield MIG_CONFIG_STATE, line
        elif match := _LINE.fullmatch(line):
            yield match["name"], match["value"]


def _shows(entry: TimelineEntry, name: str, value: str) -> bool:
    for drawn, drawn_value in entry.values.items():
        if drawn.rpartition(" ")[2] == name:
            return str(drawn_value) == value
    label = f"{name.removeprefix(PREFIX)}={value}"
    return label in entry.change and label in entry.change.split(", ")
