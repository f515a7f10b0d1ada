"""D-26: comparison of a node's labels with what GPU Feature Discovery must have written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from conformance.expect.compare import compare_mappings
from conformance.expect.finding import CheckContext, ConformanceError, Finding
from conformance.expect.label_parts import Labels
from conformance.expect.labels import OPTIONAL, closest, is_gfd_label
from conformance.spec.names import FEATURE_DISCOVERY_APP, GFD_TIMESTAMP

_ANY: Final = "(any)"
_UNIX_SECONDS: Final = re.compile(r"[0-9]{10}")
"""Of the years 2001 to 2286; milliseconds have more digits."""


def difference(found: Mapping[str, str], expected: Sequence[Labels]) -> Finding | None:
    """Compare all labels of GPU Feature Discovery on the node; labels of others are not looked at.

    Args:
        found: All labels of the node.
        expected: What `expected_labels` gave; one of the sets must be met.

    Returns:
        The labels that are missing, left over or wrong; None where one set is met.
    """
    of_gfd = {key: value for key, value in found.items() if is_gfd_label(key) and key not in OPTIONAL}
    wanted = closest(expected, of_gfd)
    shown = {key: _ANY if value is None else value for key, value in wanted.items()}
    seen = {key: _ANY if wanted.get(key, "") is None and value else value for key, value in of_gfd.items()}
    return compare_mappings(shown, seen, only_differences=True)


def check_labels(context: CheckContext, found: Mapping[str, str], expected: Sequence[Labels]) -> None:
    """Check that there is no `difference`.

    Raises:
        ConformanceError: A label is missing, left over or wrong; only those are shown.
    """
    if finding := difference(found, expected):
        raise ConformanceError(context, "labels", finding, _why_not(finding))


def check_timestamp(context: CheckContext, before: str | None, found: str | None, *, restarted: bool) -> None:
    """Check by `nvidia.com/gfd.timestamp`, the Unix time of the process's start, that the labels are of a new one.

    Args:
        context: Where.
        before: The label before the reconfiguration; None where it was not there, then any number will do.
        found: The label now; None where it is not there.
        restarted: Whether the reconfiguration paused GPU Feature Discovery; where it did not, the label must stay.

    Raises:
        ConformanceError: The label is missing, no number of seconds, not newer, or newer though nothing was restarted.
    """
    if found is None or not _UNIX_SECONDS.fullmatch(found):
        raise ConformanceError(context, "timestamp", Finding((f"{GFD_TIMESTAMP}: Unix seconds",), _shown(found)))
    if before is None or not before.isdigit():
        return
    if restarted and int(found) <= int(before):
        likely = (f"the labels are those of the process before the change (DaemonSet {FEATURE_DISCOVERY_APP})",)
        raise ConformanceError(
            context, "timestamp", Finding((f"{GFD_TIMESTAMP}: more than {before}",), _shown(found)), likely
        )
    if not restarted and found != before:
        likely = (f"DaemonSet {FEATURE_DISCOVERY_APP} was restarted though nothing was to be done",)
        raise ConformanceError(context, "timestamp", Finding((f"{GFD_TIMESTAMP}: {before}",), _shown(found)), likely)


def _shown(value: str | None) -> tuple[str, ...]:
    return () if value is None else (f"{GFD_TIMESTAMP}: {value}",)


def _why_not(finding: Finding) -> list[str]:
    if finding.unexpected and not finding.missing:
        return [f"labels of a former geometry were left behind (DaemonSet {FEATURE_DISCOVERY_APP})"]
    return []
