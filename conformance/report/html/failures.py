"""Failures as the page shows them: a card for each rule, its first place in full, all its places in a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from conformance.report.causes import said_otherwise, trouble_of
from conformance.report.html.onset import onset
from conformance.report.html.timeline import Group
from conformance.report.model import Case, CaseFunction, Outcome, Report
from conformance.report.observations import Evidence, Stay

_BAD: Final = (Outcome.FAILED, Outcome.ERROR)
_JUDGED: Final = (Outcome.PASSED, *_BAD)
_WITHOUT_TIME: Final = float("inf")
_HIDDEN_LANES: Final[Mapping[Group, tuple[str, ...]]] = {
    Group.OTHER: ("labels", "timestamp"),
    Group.WORKLOAD: ("pod", "device", "CUDA"),
    Group.CAPACITY: ("capacity",),
}
"""Lanes that the page shows only for a failure of these subjects, by their beginning."""


@dataclass(frozen=True)
class Place:
    """One case that failed or broke.

    Attributes:
        case: The case.
        stay: The stretch of time in which its node was in its cell; None if the report does not know it.
        since: When it began, in seconds as in `TimelineEntry.time`; see `onset`. None if the report does not know it.
    """

    case: Case
    stay: Stay | None
    since: float | None = None

    @property
    def lanes(self) -> str:
        """Groups of lanes that show it, of those that are hidden at first, separated by spaces."""
        subject = self.case.finding.subject if self.case.finding else ""
        return " ".join(group for group, subjects in _HIDDEN_LANES.items() if subject.startswith(subjects))

    @property
    def cell(self) -> str:
        """For example `single, all-1g.10gb`; empty if the case has none."""
        if (cell := self.case.cell) is None:
            return ""
        after = f"{cell.strategy}, {cell.configuration or 'no label'}"
        if (before := self.case.before) is None:
            return after
        return f"{before.strategy}, {before.configuration or 'no label'} → {after}"


@dataclass(frozen=True)
class Failure:
    """A rule that does not hold.

    Attributes:
        name: Function of its cases, or the id of a module that could not be collected.
        rule: What the function checks; None if the report does not know it.
        places: Where it does not hold, in order of time.
        judged: Number of places at which it was judged.
        evidence: What the node of the first place showed; None if there is nothing, or another card shows it.
        shown_in: Anchor of the card that shows the evidence of the first place; empty if no other does.
    """

    name: str
    rule: CaseFunction | None
    places: tuple[Place, ...]
    judged: int
    evidence: Evidence | None
    shown_in: str

    @property
    def anchor(self) -> str:
        """Id of its card in the page."""
        return anchor(self.name)

    @property
    def first(self) -> Place:
        """The place that is shown in full."""
        return self.places[0]

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes at which it does not hold."""
        return tuple(dict.fromkeys(place.case.node for place in self.places if place.case.node))

    @property
    def cells(self) -> tuple[str, ...]:
        """The cells in which it does not hold."""
        return tuple(dict.fromkeys(place.cell for place in self.places if place.cell))

    @property
    def alike(self) -> list[tuple[Place, list[Place]]]:
        """Its places, those together that show the same in the same cell; the first of each stands before all."""
        groups: dict[tuple[object, ...], list[Place]] = {}
        for place in self.places:
            groups.setdefault((place.cell, *_shown(place.case)), []).append(place)
        return [(places[0], places) for places in groups.values()]


@dataclass(frozen=True)
class Unjudged:
    """Cases that could not judge, all for the same reason.

    Attributes:
        outcome: `blocked` or `inconclusive`.
        reason: The reason.
        places: Where they ran.
    """

    outcome: Outcome
    reason: str
    places: tuple[Place, ...]

    @property
    def otherwise(self) -> list[str]:
        """What these cases would say without that reason, each text once."""
        return list(dict.fromkeys(filter(None, (said_otherwise(place.case.reason) for place in self.places))))


def failures(report: Report) -> list[Failure]:
    """Return the rules that do not hold: core before extended, failed before broken, then by time and requirement."""
    judged = Counter(_name(case) for case in report.cases if case.outcome in _JUDGED)
    rules: dict[str, list[Place]] = {}
    for place in _places(report, _BAD):
        rules.setdefault(_name(place.case), []).append(place)
    found = sorted(
        ((name, sorted(places, key=_time)) for name, places in rules.items()), key=lambda row: _rank(report, *row)
    )
    shown: dict[str, str] = {}
    return [_failure(report, name, places, judged[name], shown) for name, places in found]


def unjudged(report: Report) -> list[Unjudged]:
    """Return the cases that were blocked or could not judge, by reason."""
    reasons: dict[tuple[Outcome, str], list[Place]] = {}
    for place in _places(report, (Outcome.BLOCKED, Outcome.INCONCLUSIVE)):
        reasons.setdefault((place.case.outcome, trouble_of(place.case.reason)), []).append(place)
    return [Unjudged(*key, tuple(places)) for key, places in reasons.items()]


def anchor(name: str) -> str:
    """Return the id of the card of a function."""
    return "failure-" + "".join(letter if letter.isalnum() else "-" for letter in name.rpartition("::")[2])


def _shown(case: Case) -> tuple[object, ...]:
    """What a case expected and found, without the subject, which names its node."""
    if (finding := case.finding) is None:
        return (case.reason,)
    return finding.expected, finding.found, finding.missing, finding.unexpected


def _name(case: Case) -> str:
    return case.function or case.id.partition("[")[0]


def _places(report: Report, outcomes: Sequence[Outcome]) -> Iterator[Place]:
    for case in report.cases:
        if case.outcome in outcomes:
            stay = _stay(report, case)
            entries = report.timelines.get(case.node, ())
            yield Place(case, stay, onset(case.finding, stay, entries) if stay else None)


def _stay(report: Report, case: Case) -> Stay | None:
    """The last stay in the cell of a case that began before its evidence was taken."""
    if (cell := case.cell) is None:
        return None
    taken = report.evidence[case.evidence].taken if case.evidence in report.evidence else _WITHOUT_TIME
    stays = [
        stay
        for stay in report.stays.get(case.node, ())
        if (stay.strategy, stay.configuration) == (cell.strategy, cell.configuration)
    ]
    return next((stay for stay in reversed(stays) if stay.start <= taken), stays[0] if stays else None)


def _time(place: Place) -> float:
    return _WITHOUT_TIME if place.since is None else place.since


def _rank(report: Report, name: str, places: Sequence[Place]) -> tuple[bool, bool, float, tuple[str, ...]]:
    rule = report.functions.get(name)
    return (
        rule is not None and rule.level != "core",
        all(place.case.outcome is Outcome.ERROR for place in places),
        _time(places[0]),
        tuple(sorted(places[0].case.requirements)),
    )


def _failure(report: Report, name: str, places: Sequence[Place], judged: int, shown: dict[str, str]) -> Failure:
    key = places[0].case.evidence or ""
    earlier = shown.get(key, "")
    evidence = None if earlier else report.evidence.get(key)
    if evidence is not None:
        shown[key] = anchor(name)
    return Failure(name, report.functions.get(name), tuple(places), judged, evidence, earlier)
