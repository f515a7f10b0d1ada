"""Where a check looks, and the message of a check that fails."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from conformance.spec.names import Strategy

_COLUMN: Final = 12
_HALF: Final = 24


def _nothing() -> Sequence[str]:
    return ()


@dataclass(frozen=True)
class Place:
    """Node and state that a check speaks of; it heads every message.

    Attributes:
        requirements: Ids of the requirements that the case certifies.
        node: Name of the node.
        strategy: Strategy of the cluster.
        configuration: Name of the mig-parted configuration.
        timeline: Gives what happened lately, in short phrases; asked only when a check fails.
        hints: Gives what else is known about the cause, beside what the check finds out; asked only then.
    """

    requirements: tuple[str, ...]
    node: str
    strategy: Strategy
    configuration: str
    timeline: Callable[[], Sequence[str]] = _nothing
    hints: Callable[[], Sequence[str]] = _nothing

    def __str__(self) -> str:
        return f"node {self.node} under {self.strategy}, {self.configuration}"


@dataclass(frozen=True)
class Finding:
    """What a check expected and what it found, in items a person can read; empty where there is nothing to say."""

    expected: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()


class ConformanceError(AssertionError):
    """The cluster does not do what it must.

    Attributes:
        place: Where it was looked at.
        subject: What was looked at.
        finding: What was expected and found.
    """

    def __init__(self, place: Place, subject: str, finding: Finding, likely: Sequence[str] = ()) -> None:
        self.place = place
        self.subject = subject
        self.finding = finding
        super().__init__("\n".join(_lines(place, subject, finding, likely)))


def _lines(place: Place, subject: str, finding: Finding, likely: Sequence[str]) -> list[str]:
    return [
        " ".join([*place.requirements, subject, "of", str(place)]),
        *_field("expected", finding.expected),
        *_field("found", finding.found),
        *_missing_and_unexpected(finding),
        *_field("timeline", place.timeline(), joined="; "),
        *_field("likely", [*likely, *place.hints()]),
    ]


def _missing_and_unexpected(finding: Finding) -> list[str]:
    missing, unexpected = _field("missing", finding.missing), _field("unexpected", finding.unexpected)
    if len(missing) == len(unexpected) == 1 and len(missing[0]) < 2 + _COLUMN + _HALF:
        return [missing[0].ljust(2 + _COLUMN + _HALF) + unexpected[0].lstrip()]
    return missing + unexpected


def _field(name: str, items: Sequence[str], joined: str | None = None) -> list[str]:
    """Lay out a field: one line an item, the name before the first."""
    if not items:
        return ["  " + name.ljust(_COLUMN) + "nothing"] if name in ("expected", "found") else []
    items = [joined.join(items)] if joined else list(items)
    return [f"  {(name if position == 0 else '').ljust(_COLUMN)}{item}" for position, item in enumerate(items)]
