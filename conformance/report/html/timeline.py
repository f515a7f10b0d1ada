"""The timeline of a node as lanes of stretches, ready to be drawn: what was so, from when until when."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from conformance.report.observations import Stay, TimelineEntry
from conformance.spec.names import DEPLOY_PREFIX

Value = str | int | None

_DEPLOY_TONES: Final = {"true": "good", "false": "off"}
_NODE_TONES: Final = {("ready", "false"): "bad", ("ready", "unknown"): "bad", ("unschedulable", "true"): "busy"}
_STATE_TONES: Final = {"success": "good", "failed": "bad"}


class Group(StrEnum):
    """Lanes that are shown or hidden together."""

    CELL = "cell"
    LABELS = "labels"
    DEPLOY = "deploy"
    PODS = "pods"
    ALLOCATABLE = "allocatable"
    CAPACITY = "capacity"
    WORKLOAD = "workload"
    NODE = "node"
    OTHER = "other"


@dataclass(frozen=True)
class Stretch:
    """Something that was so for a while.

    Attributes:
        group: The group of its lane.
        lane: Name of its lane.
        start: In seconds as in `TimelineEntry.time`.
        end: As `start`; None for something that happened at one time.
        text: A word or two.
        tone: How it is coloured: `good`, `busy`, `bad`, `off` or `plain`.
        detail: What changed at its start, in one line.
    """

    group: Group
    lane: str
    start: float
    end: float | None
    text: str
    tone: str
    detail: str = ""


def stretches(entries: Sequence[TimelineEntry], stays: Sequence[Stay]) -> list[Stretch]:
    """Return the stretches of a node in the order of their start; what still holds ends with the last entry."""
    last = max((*(entry.time for entry in entries), *(stay.end for stay in stays)), default=0.0)
    cells = [
        Stretch(
            Group.CELL, "cell", stay.start, stay.end, f"{stay.strategy}, {stay.configuration or 'no label'}", "plain"
        )
        for stay in stays
    ]
    found = [*cells, *_values(entries, last), *_pods(entries, last), *_others(entries)]
    return sorted(found, key=lambda one: one.start)


@dataclass
class _Open:
    """A stretch whose end is not known yet."""

    start: float
    text: str
    tone: str
    detail: str


def _values(entries: Sequence[TimelineEntry], last: float) -> Iterator[Stretch]:
    """A lane for each label, resource and field of the node that is drawn; each value lasts until the next one."""
    lanes: dict[tuple[Group, str], _Open] = {}
    for entry in entries:
        for name, value in entry.values.items():
            if (place := _place(entry.kind, name)) is None:
                continue
            text, tone = _SHOWN[place[0]](place[1], value)
            if (open_ := lanes.pop(place, None)) is not None:
                yield _closed(place, open_, entry.time)
            if text:
                lanes[place] = _Open(entry.time, text, tone, entry.change)
    for place, open_ in lanes.items():
        yield _closed(place, open_, last)


def _closed(place: tuple[Group, str], open_: _Open, end: float) -> Stretch:
    return Stretch(*place, open_.start, end, open_.text, open_.tone, open_.detail)


def _place(kind: str, name: str) -> tuple[Group, str] | None:
    """Group and lane of a value; None for a pod, whose life is more than its last value."""
    if kind == "labels":
        short = name.removeprefix(DEPLOY_PREFIX)
        return (Group.DEPLOY, short) if short != name else (Group.LABELS, name.removeprefix("nvidia.com/"))
    if kind == "resource":
        field, _, resource = name.partition(" ")
        return (Group.ALLOCATABLE if field == "allocatable" else Group.CAPACITY), resource
    return (Group.NODE, name) if kind == "node" else None


def _label(lane: str, value: Value) -> tuple[str, str]:
    text = "" if value is None else str(value)
    return text, _STATE_TONES.get(text, "busy") if lane == "mig.config.state" else "plain"


def _deploy(_lane: str, value: Value) -> tuple[str, str]:
    text = "" if value is None else str(value)
    return text.removesuffix("-for-mig-change"), _DEPLOY_TONES.get(text, "busy")


def _count(_lane: str, value: Value) -> tuple[str, str]:
    return ("", "") if value is None else (str(value), "plain" if value else "off")


def _node(lane: str, value: Value) -> tuple[str, str]:
    text = "" if value is None else str(value).lower()
    return text, _NODE_TONES.get((lane, text), "plain")


_SHOWN: Final[Mapping[Group, Callable[[str, Value], tuple[str, str]]]] = {
    Group.LABELS: _label,
    Group.DEPLOY: _deploy,
    Group.ALLOCATABLE: _count,
    Group.CAPACITY: _count,
    Group.NODE: _node,
}
"""Text and tone of a value; an empty text if there is nothing to draw."""

_POD_STATES: Final = {
    "appeared": ("starting", "busy"),
    "ready": ("ready", "good"),
    "not ready": ("not ready", "bad"),
    "ended": ("ended", "off"),
    "terminating": ("terminating", "off"),
    "gone": ("", ""),
}
"""Text and tone of a pod after a step of its life."""


def _pods(entries: Sequence[TimelineEntry], last: float) -> Iterator[Stretch]:
    """A lane for each operand, by its label `app`, and one for all other pods, in which each pod has its own life."""
    lives: dict[str, tuple[tuple[Group, str], _Open]] = {}
    for entry in entries:
        for app, event in entry.values.items() if entry.kind == "pod" else ():
            place = _lane_of(entry.subject, app)
            if event == "restarted":
                yield Stretch(*place, entry.time, None, "restarted", "bad", entry.change)
                continue
            if (life := lives.pop(entry.subject, None)) is not None:
                yield _closed(place, life[1], entry.time)
            text, tone = _POD_STATES.get(str(event), (str(event), "plain"))
            if text:
                lives[entry.subject] = place, _Open(entry.time, text, tone, entry.change)
    for place, open_ in lives.values():
        yield _closed(place, open_, last)


def _lane_of(pod: str, app: str) -> tuple[Group, str]:
    name = pod.rpartition("/")[2]
    return (Group.WORKLOAD, "other pods") if name == app else (Group.PODS, app)


def _others(entries: Sequence[TimelineEntry]) -> Iterator[Stretch]:
    """Changes that have no value to draw, such as those of GPU Feature Discovery's labels."""
    for entry in entries:
        if not entry.values:
            yield Stretch(Group.OTHER, "other labels", entry.time, None, "changed", "plain", entry.change)
