"""What kubelet counts in a node's capacity, and for how long after it is gone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from conformance.cluster.changes import ResourceChange
from conformance.expect.resources import Leftover, above_zero
from conformance.suite.scenario import Effect, Moment, NodeInCell, Scenario


@dataclass(frozen=True)
class Capacity:
    """The capacity of one node in one cell, judged when the run has watched long enough.

    Attributes:
        when_left: Counts when the node left the cell.
        leftovers: What was counted although the node did not advertise it there.
        grace: Seconds for which kubelet may count what is gone.
        now: When the watch ended, seconds of the cluster's clock.
    """

    when_left: Mapping[str, int]
    leftovers: tuple[Leftover, ...]
    grace: float
    now: float


class WatchCapacity(Scenario[None, Capacity]):
    """Reads from the timeline when kubelet forgot what the node no longer advertises; a run waits for the last once."""

    summary: ClassVar = "watch capacity until kubelet has forgotten what is gone"
    effect: ClassVar = Effect.READONLY
    moment: ClassVar = Moment.AT_END

    def start(self, node: NodeInCell) -> None:
        """Nothing: the timeline remembers."""

    def observe(self, node: NodeInCell, started: None) -> Capacity:
        """Follow each resource that was left over, from the moment when it was gone."""
        del started
        view = node.view_when_left or node.cluster.node(node.name)
        changes = node.cluster.timeline.of(ResourceChange, node=node.name)
        over = [name for name in above_zero(view.capacity) if name not in node.expected.resources]
        left = node.cluster.timeline.mark() if node.left is None else node.left
        return Capacity(
            when_left=view.capacity,
            leftovers=tuple(
                _follow([change for change in changes if change.resource == name], name, view.capacity[name], left)
                for name in over
                if not view.allocatable.get(name)
            ),
            grace=node.cluster.limits.capacity_grace,
            now=node.cluster.clock.now(),
        )


def still_counted(allocatable: Mapping[str, int], capacity: Mapping[str, int]) -> list[str]:
    """Resources that kubelet counts in the capacity although nobody advertises them, by name."""
    return sorted(name for name in above_zero(capacity) if not allocatable.get(name))


def _follow(changes: list[ResourceChange], name: str, count: int, left: int) -> Leftover:
    fell = [change.time for change in changes if _is(change, "allocatable", zero=True) and change.sequence < left]
    later = [change for change in changes if change.sequence >= left]
    forgotten = (change.time for change in later if _is(change, "capacity", zero=True))
    back = (change.time for change in later if _is(change, "allocatable", zero=False))
    # What was gone before the watch began is given the whole grace from there.
    return Leftover(name, count, fell[-1] if fell else 0.0, next(forgotten, None), next(back, None))


def _is(change: ResourceChange, field: str, *, zero: bool) -> bool:
    return change.field == field and (not change.after) is zero
