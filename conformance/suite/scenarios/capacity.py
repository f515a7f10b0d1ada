"""Scenario: watch the capacity of a node until kubelet has dropped the resources that are gone.

Kubelet keeps a removed resource in the capacity for five minutes (docs/reference/kubelet.md#capacity). The run waits
for that once, at its end, instead of in every cell.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from conformance.cluster.changes import NodeChange, ResourceChange
from conformance.expect.resources import Leftover, above_zero
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import Effect, Moment, Scenario


@dataclass(frozen=True)
class Capacity:
    """The capacity of one node in one cell, complete after the wait at the end of the run.

    Attributes:
        when_left: Counts when the node left the cell.
        leftovers: Resources that the capacity still had when the node left, although the node did not advertise them.
        grace: Seconds for which kubelet may still count a removed resource (`limits.capacity_grace`).
        now: End of the observation, in seconds of the cluster's clock.
    """

    when_left: Mapping[str, int]
    leftovers: tuple[Leftover, ...]
    grace: float
    now: float


class WatchCapacity(Scenario[None, Capacity]):
    """Reads from the timeline when kubelet dropped what the node no longer advertises."""

    summary: ClassVar = "watch capacity until kubelet has forgotten what is gone"
    effect: ClassVar = Effect.READONLY
    moment: ClassVar = Moment.AT_END

    def start(self, node: NodeInCell) -> None:
        """Do nothing: the timeline records the changes."""

    def observe(self, node: NodeInCell, started: None) -> Capacity:
        """Follow each leftover resource from the moment when it was no longer advertised."""
        del started
        view = node.view_when_left or node.cluster.node(node.name)
        changes = node.cluster.timeline.of(ResourceChange, node=node.name)
        over = [name for name in above_zero(view.capacity) if name not in node.expected.resources]
        left = node.cluster.timeline.mark() if node.left is None else node.left
        away = _away(node.cluster.timeline.of(NodeChange, node=node.name), node.cluster.clock.now())
        return Capacity(
            when_left=view.capacity,
            leftovers=tuple(
                replace(
                    _follow([it for it in changes if it.resource == name], name, view.capacity[name], left), away=away
                )
                for name in over
                if not view.allocatable.get(name)
            ),
            grace=node.cluster.limits.capacity_grace,
            now=node.cluster.clock.now(),
        )


def still_counted(allocatable: Mapping[str, int], capacity: Mapping[str, int]) -> list[str]:
    """Return the names of resources in the capacity that are no longer advertised, sorted."""
    return sorted(name for name in above_zero(capacity) if not allocatable.get(name))


def _follow(changes: list[ResourceChange], name: str, count: int, left: int) -> Leftover:
    fell = [change.time for change in changes if _is(change, "allocatable", zero=True) and change.sequence < left]
    later = [change for change in changes if change.sequence >= left]
    forgotten = (change.time for change in later if _is(change, "capacity", zero=True))
    back = (change.time for change in later if _is(change, "allocatable", zero=False))
    # If the resource was gone before the watch began (time 0), the full grace counts from there.
    return Leftover(name, count, fell[-1] if fell else 0.0, next(forgotten, None), next(back, None))


def _of(changes: Iterable[ResourceChange], name: str) -> list[ResourceChange]:
    return [change for change in changes if change.resource == name]


def _away(changes: Iterable[NodeChange], now: float) -> tuple[tuple[float, float], ...]:
    """Return from when until when the node was not Ready; what still lasts ends now."""
    found: list[tuple[float, float]] = []
    since: float | None = None
    for change in changes:
        if change.field != "ready":
            continue
        if change.after != "True":
            since = change.time if since is None else since
        elif since is not None:
            found.append((since, change.time))
            since = None
    return (*found, *([(since, now)] if since is not None else []))


def _is(change: ResourceChange, field: str, *, zero: bool) -> bool:
    return change.field == field and (not change.after) is zero
