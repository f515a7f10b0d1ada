"""The context of a check, its finding, and the message of a check that fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from conformance.spec.names import Strategy

_COLUMN: Final = 12
"""Width of the field names."""
_HALF: Final = 24
"""Width of `missing` when `unexpected` follows on the same line."""


def _nothing() -> Sequence[str]:
    return ()


@dataclass(frozen=True)
class CheckContext:
    """Node and state that a check is about; the first line of every message.

    Attributes:
        requirements: Ids of the requirements that the case certifies.
        node: Name of the node.
        strategy: Strategy of the cluster.
        configuration: Name of the mig-parted configuration.
        timeline: Returns recent events in short phrases; called only when a check fails.
        hints: Returns likely causes that the check itself cannot know; called only when a check fails.
    """

    requirements: tuple[str, ...]
    node: str
    strategy: Strategy
    configuration: str
    timeline: Callable[[], Sequence[str]] = _nothing
    hints: Callable[[], Sequence[str]] = _nothing

    def under(self, strategy: Strategy) -> CheckContext:
        """Return the context of the same node and configuration under another strategy."""
        return replace(self, strategy=strategy)

    def __str__(self) -> str:
        return f"node {self.node} under {self.strategy}, {self.configuration}"


@dataclass(frozen=True)
class Finding:
    """What a check expected and what it found, as short readable items.

    Attributes:
        expected: What must be there; empty if nothing must.
        found: What is there; empty if nothing is.
        missing: Items that were expected but not found; empty if the check does not compare single items.
        unexpected: Items that were found but not expected; empty as above.
        subject: What was checked, on which node and in which state; `ConformanceError` fills it in.
        timeline: The last events before, in short phrases; `ConformanceError` fills it in.
        likely: Likely causes; `ConformanceError` fills it in.
    """

    expected: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    subject: str = ""
    timeline: tuple[str, ...] = ()
    likely: tuple[str, ...] = ()


class ConformanceError(AssertionError):
    """The cluster does not behave as required.

    Attributes:
        context: Node and state that the check is about.
        subject: What was checked.
        finding: What was expected and found.
    """

    def __init__(self, context: CheckContext, subject: str, finding: Finding, likely: Sequence[str] = ()) -> None:
        self.context = context
        self.subject = subject
        self.finding = replace(
            finding,
            subject=f"{subject} of {context}",
            timeline=tuple(context.timeline()),
            likely=(*likely, *context.hints()),
        )
        super().__init__("\n".join(_lines(context.requirements, self.finding)))


def _lines(requirements: Sequence[str], finding: Finding) -> list[str]:
    return [
        " ".join([*requirements, finding.subject]),
        *_field("expected", finding.expected),
        *_field("found", finding.found),
        *_missing_and_unexpected(finding),
        *_field("timeline", finding.timeline, joined="; "),
        *_field("likely", finding.likely),
    ]


def _missing_and_unexpected(finding: Finding) -> list[str]:
    missing, unexpected = _field("missing", finding.missing), _field("unexpected", finding.unexpected)
    if len(missing) == len(unexpected) == 1 and len(missing[0]) < 2 + _COLUMN + _HALF:
        return [missing[0].ljust(2 + _COLUMN + _HALF) + unexpected[0].lstrip()]
    return missing + unexpected


def _field(name: str, items: Sequence[str], joined: str | None = None) -> list[str]:
    """Return the lines of a field: one line per item, with the field's name before the first."""
    if not items:
        return ["  " + name.ljust(_COLUMN) + "nothing"] if name in ("expected", "found") else []
    items = [joined.join(items)] if joined else list(items)
    return [f"  {(name if position == 0 else '').ljust(_COLUMN)}{item}" for position, item in enumerate(items)]
