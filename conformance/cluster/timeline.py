"""What happened on the cluster, in order: written by the watch threads, read by cases and reports."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from conformance.cluster.changes import Change, LabelChange, PodChange, PodEvent

C = TypeVar("C", bound=Change)


@dataclass(frozen=True, slots=True)
class PodLife:
    """What the timeline knows of one pod on one node; times in seconds of the cluster's clock.

    Attributes:
        app: Its label `app`; empty where there is none.
        namespace: Namespace of the pod.
        name: Name of the pod.
        uid: Its uid.
        started: When it appeared; None where it was there before the part of the timeline that was asked for.
        ready: When it was last seen to become Ready; None where it did not in that part.
        terminating: When its deletion was asked for; None where it was not.
        ended: When the object was gone; None while it is there.
        restarts: How many times a container of it was started again in that part.
    """

    app: str
    namespace: str
    name: str
    uid: str
    started: float | None = None
    ready: float | None = None
    terminating: float | None = None
    ended: float | None = None
    restarts: int = 0


class Timeline:
    """All changes since the suite connected. Safe to read from any thread.

    A mark is the number of changes so far; `since(mark)` gives those that came later.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._changes: list[Change] = []
        self._of_node: defaultdict[str, list[Change]] = defaultdict(list)

    def add(self, make: Callable[[int, float], Change]) -> None:
        """Append the change that `make(sequence, time)` gives."""
        with self._lock:
            change = make(len(self._changes), self._now())
            self._changes.append(change)
            self._of_node[change.node].append(change)

    def mark(self) -> int:
        """Count the changes so far."""
        with self._lock:
            return len(self._changes)

    def since(self, mark: int = 0, *, node: str | None = None) -> tuple[Change, ...]:
        """Give the changes after `mark`, of one node or (None) of all, in order."""
        return self.between(mark, None, node=node)

    def between(self, mark: int, end: int | None, *, node: str | None = None) -> tuple[Change, ...]:
        """As `since`, only those up to the mark `end`; None: all."""
        with self._lock:
            if node is None:
                return tuple(self._changes[mark:end])
            changes = self._of_node[node]
            first = bisect_left(changes, mark, key=_sequence)
            last = None if end is None else bisect_left(changes, end, key=_sequence)
            return tuple(changes[first:last])

    def of(self, kind: type[C], mark: int = 0, *, node: str | None = None) -> tuple[C, ...]:
        """As `since`, only changes of one kind: `timeline.of(LabelChange, mark, node="sim-0")`."""
        return tuple(change for change in self.since(mark, node=node) if isinstance(change, kind))

    def values(self, label: str, node: str, mark: int = 0) -> tuple[str | None, ...]:
        """Values that one label took after `mark`, in order; None where it was removed."""
        changes = self.of(LabelChange, mark, node=node)
        return tuple(c.after.get(label) for c in changes if c.before.get(label) != c.after.get(label))

    def pods(self, node: str, mark: int = 0, end: int | None = None) -> tuple[PodLife, ...]:
        """Lives of the pods of `node` of which something was seen after `mark` (and up to `end`), as they appeared."""
        lives: dict[str, PodLife] = {}
        for change in self.between(mark, end, node=node):
            if not isinstance(change, PodChange):
                continue
            life = lives.get(change.uid) or PodLife(change.app, change.namespace, change.name, change.uid)
            lives[change.uid] = _advance(life, change)
        return tuple(lives.values())

    def render(
        self,
        mark: int = 0,
        end: int | None = None,
        *,
        node: str | None = None,
        last: int | None = None,
        without: str | None = None,
    ) -> list[str]:
        """One line for each change, with how long ago it was.

        Args:
            mark: Only changes after it.
            end: Only changes up to this mark; None: all.
            node: Only changes of this node; None: of all.
            last: Only so many from the end; None: all.
            without: Leave out pods of this namespace, the suite's own; None: leave out nothing.
        """
        now = self._now()
        changes = [change for change in self.between(mark, end, node=node) if not _is_pod_of(change, without)]
        chosen = changes[-last:] if last else changes
        return [f"{now - change.time:6.1f} s ago  {change.describe()}" for change in chosen]


def _sequence(change: Change) -> int:
    return change.sequence


def _is_pod_of(change: Change, namespace: str | None) -> bool:
    return isinstance(change, PodChange) and change.namespace == namespace


def _advance(life: PodLife, change: PodChange) -> PodLife:
    match change.event:
        case PodEvent.APPEARED:
            return replace(life, started=change.time)
        case PodEvent.READY:
            return replace(life, ready=change.time)
        case PodEvent.TERMINATING:
            return replace(life, terminating=change.time)
        case PodEvent.GONE:
            return replace(life, ended=change.time)
        case PodEvent.RESTARTED:
            return replace(life, restarts=life.restarts + 1)
        case _:
            return life
