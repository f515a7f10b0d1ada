"""The timeline: all changes of the cluster, in order. Watch threads write it; the suite and reports read it."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar

from conformance.cluster.changes import Change, LabelChange, PodChange, PodEvent

C = TypeVar("C", bound=Change)


@dataclass(frozen=True, slots=True)
class PodLife:
    """Life of one pod on one node within a part of the timeline. Times are in seconds of the cluster's clock.

    Attributes:
        app: Value of its label `app`; empty if it has none.
        namespace: Namespace of the pod.
        name: Name of the pod.
        uid: UID of the pod.
        started: When the pod appeared; None if it already existed before this part of the timeline.
        ready: When the pod last became Ready; None if it did not in this part.
        terminating: When its deletion was requested; None if it was not in this part.
        ended: When the object was gone; None if it still existed at the end of this part.
        restarts: Number of events with container restarts in this part.
        is_ready: Whether it was Ready after the last change of that; None if it did not change in this part.
        versions: resourceVersion of the pod after the last step of each kind, by step.
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
    is_ready: bool | None = None
    versions: Mapping[str, str] = field(default_factory=dict)


class Timeline:
    """All changes since the suite connected. Safe to use from any thread.

    A mark is a position: the number of changes so far. `since(mark)` returns the changes that came after it.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._changes: list[Change] = []
        self._of_node: defaultdict[str, list[Change]] = defaultdict(list)

    def add(self, make: Callable[[int, float], Change]) -> None:
        """Append the change that `make(sequence, time)` returns."""
        with self._lock:
            change = make(len(self._changes), self._now())
            self._changes.append(change)
            self._of_node[change.node].append(change)

    def now(self) -> float:
        """Return the time by the clock of the changes."""
        return self._now()

    def mark(self) -> int:
        """Return the current position: the number of changes so far."""
        with self._lock:
            return len(self._changes)

    def since(self, mark: int = 0, *, node: str | None = None) -> tuple[Change, ...]:
        """Return the changes after `mark`, in order. `node` None means all changes of the cluster."""
        return self.between(mark, None, node=node)

    def between(self, mark: int, end: int | None, *, node: str | None = None) -> tuple[Change, ...]:
        """Like `since`, but only up to the mark `end`. `end` None means no end."""
        with self._lock:
            if node is None:
                return tuple(self._changes[mark:end])
            changes = self._of_node[node]
            first = bisect_left(changes, mark, key=_sequence)
            last = None if end is None else bisect_left(changes, end, key=_sequence)
            return tuple(changes[first:last])

    def of(self, kind: type[C], mark: int = 0, *, node: str | None = None) -> tuple[C, ...]:
        """Like `since`, but only changes of one class: `timeline.of(LabelChange, mark, node="sim-0")`."""
        return tuple(change for change in self.since(mark, node=node) if isinstance(change, kind))

    def values(self, label: str, node: str, mark: int = 0) -> tuple[str | None, ...]:
        """Return the values that a label took after `mark`, in order; None stands for its removal."""
        changes = self.of(LabelChange, mark, node=node)
        return tuple(c.after.get(label) for c in changes if c.before.get(label) != c.after.get(label))

    def pods(self, node: str, mark: int = 0, end: int | None = None) -> tuple[PodLife, ...]:
        """Return the lives of all pods of `node` with changes between the marks, ordered by their first change.

        `end` None means no end.
        """
        lives: dict[str, PodLife] = {}
        for change in self.between(mark, end, node=node):
            if not isinstance(change, PodChange):
                continue
            life = lives.get(change.uid) or PodLife(change.app, change.namespace, change.name, change.uid)
            seen = replace(life, versions={**life.versions, change.event: change.version})
            lives[change.uid] = _advance(seen, change)
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
        """Return one line for each change, with its age.

        Args:
            mark: Only changes after this mark.
            end: Only changes up to this mark; None means no end.
            node: Only changes of this node; None means all.
            last: Only this many changes from the end; None or 0 means all.
            without: Namespace whose pods are left out, such as the suite's own; None leaves out nothing.
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
            return replace(life, ready=change.time, is_ready=True)
        case PodEvent.UNREADY:
            return replace(life, is_ready=False)
        case PodEvent.TERMINATING:
            return replace(life, terminating=change.time)
        case PodEvent.GONE:
            return replace(life, ended=change.time)
        case PodEvent.RESTARTED:
            return replace(life, restarts=life.restarts + 1)
        case _:
            return life
