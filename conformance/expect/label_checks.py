"""D-26: comparison of a node's labels with those that GPU Feature Discovery must write."""

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
"""Ten digits cover the years 2001 to 2286; a time in milliseconds has more."""


def compare_labels(found: Mapping[str, str], expected: Sequence[Labels]) -> Finding | None:
    """Compare the labels of GPU Feature Discovery; labels with other owners are ignored.

    Args:
        found: All labels of the node.
        expected: Result of `expected_labels`; the node must match one of the sets.

    Returns:
        The labels that differ from the closest set; None if the node matches one.
    """
    of_gfd = {key: value for key, value in found.items() if is_gfd_label(key) and key not in OPTIONAL}
    wanted = closest(expected, of_gfd)
    shown = {key: _ANY if value is None else value for key, value in wanted.items()}
    seen = {key: _ANY if wanted.get(key, "") is None and value else value for key, value in of_gfd.items()}
    return compare_mappings(shown, seen, only_differences=True)


def check_labels(context: CheckContext, found: Mapping[str, str], expected: Sequence[Labels]) -> None:
    """Check that the labels match one expected set.

    Raises:
        ConformanceError: A label is missing, unexpected or wrong; the message shows only those labels.
    """
    if finding := compare_labels(found, expected):
        raise ConformanceError(context, "labels", finding, _likely_causes(finding))


def check_timestamp(context: CheckContext, before: str | None, found: str | None, *, restarted: bool) -> None:
    """Check whether a new GPU Feature Discovery process wrote the labels.

    `nvidia.com/gfd.timestamp` holds the time at which that process started, in Unix seconds.

    Args:
        context: Node and state that the check is about.
        before: The label before the reconfiguration; None if the node had none. If it is not a number, any time is
            accepted now.
        found: The label now; None if the node has none.
        restarted: Whether GPU Feature Discovery must have been restarted; if not, the label must be unchanged.

    Raises:
        ConformanceError: The label is missing, is not a time in seconds, is not newer after a restart, or changed
            without one.
    """
    if found is None or not _UNIX_SECONDS.fullmatch(found):
        raise ConformanceError(context, "timestamp", Finding((f"{GFD_TIMESTAMP}: Unix seconds",), _shown(found)))
    if before is None or not before.isdigit():
        return
    if restarted and int(found) <= int(before):
        likely = (f"the labels were written before the change (DaemonSet {FEATURE_DISCOVERY_APP})",)
        raise ConformanceError(
            context, "timestamp", Finding((f"{GFD_TIMESTAMP}: more than {before}",), _shown(found)), likely
        )
    if not restarted and found != before:
        likely = (f"DaemonSet {FEATURE_DISCOVERY_APP} was restarted although nothing had to change",)
        raise ConformanceError(context, "timestamp", Finding((f"{GFD_TIMESTAMP}: {before}",), _shown(found)), likely)


def _shown(value: str | None) -> tuple[str, ...]:
    return () if value is None else (f"{GFD_TIMESTAMP}: {value}",)


def _likely_causes(finding: Finding) -> list[str]:
    if finding.unexpected and not finding.missing:
        return [f"labels of the previous geometry were not removed (DaemonSet {FEATURE_DISCOVERY_APP})"]
    return []
