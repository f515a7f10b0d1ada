"""What the suite knows of the cluster: fed by watch threads under one lock.

A change wakes those who wait for its node and those who wait for the cluster as a whole, nobody else: with hundreds of
nodes at work side by side each of them has a thread that waits.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from operator import itemgetter
from typing import Any, Generic, Protocol, TypeVar

from conformance.cluster import diff
from conformance.cluster.errors import ClusterError
from conformance.cluster.pod_view import PodView, pod_view
from conformance.cluster.timeline import Timeline
from conformance.cluster.views import (
    DaemonSetView,
    NodeView,
    PolicyView,
    Raw,
    daemon_set_view,
    node_view,
    policy_view,
)


class View(Protocol):
    """What every view has."""

    @property
    def version(self) -> str:
        """The object's resourceVersion."""
        ...


V = TypeVar("V", bound=View)


class Table(Generic[V]):
    """All objects of one resource, by (namespace, name); the namespace is empty for cluster-scoped ones.

    Attributes:
        title: What the objects are called in messages.
        parse: Makes a view of a raw object.
        record: Writes the difference of two views of one object (None: absent) to the timeline; the last argument is
            the raw object that caused it.
        group: What a view is looked up by, beside its key: pods by their node.
        home: The node whose waits a change concerns; empty for none in particular.
        synced: The first list has been read.
        failure: Why it is not kept up to date at present; None while it is.
    """

    def __init__(
        self,
        title: str,
        parse: Callable[[Raw], V],
        record: Callable[[Timeline, V | None, V | None, Raw], None] | None = None,
        group: Callable[[V], str] = lambda _: "",
        home: Callable[[V], str] = lambda _: "",
    ) -> None:
        self.title = title
        self.parse = parse
        self.record = record
        self.group = group
        self.home = home
        self.synced = False
        self.failure: ClusterError | None = None
        self.views: dict[tuple[str, str], V] = {}
        self._groups: defaultdict[str, dict[tuple[str, str], V]] = defaultdict(dict)

    def in_group(self, group: str | None) -> Mapping[tuple[str, str], V]:
        """Views of one group, or (None) all."""
        return self.views if group is None else self._groups.get(group, {})

    def put(self, key: tuple[str, str], view: V | None) -> None:
        """Put a view in place of the old one; None removes."""
        old = self.views.pop(key, None)
        if old is not None:
            del self._groups[self.group(old)][key]
        if view is not None:
            self.views[key] = self._groups[self.group(view)][key] = view


class Store:
    """Tables of views under one condition. Watch threads write, everybody reads."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.nodes: Table[NodeView] = Table("nodes", node_view, diff.node, home=lambda node: node.name)
        self.pods: Table[PodView] = Table(
            "pods", pod_view, diff.pod, group=lambda pod: pod.node or "", home=lambda pod: pod.home
        )
        self.daemon_sets: Table[DaemonSetView] = Table("daemonsets", daemon_set_view)
        self.policies: Table[PolicyView] = Table("clusterpolicies", policy_view, diff.policy)
        self._lock = threading.RLock()
        self._anything = threading.Condition(self._lock)
        self._homes: dict[str, threading.Condition] = {}
        self._revision = 0
        self._revisions: defaultdict[str, int] = defaultdict(int)

    def replace(self, table: Table[V], objects: Mapping[tuple[str, str], Raw]) -> None:
        """Take over a whole list; what differs from before is recorded, except for the first list."""
        with self._lock:
            for key in table.views.keys() - objects.keys():
                self._put(table, key, None, {})
            for key, raw in objects.items():
                self._put(table, key, table.parse(raw), raw)
            wakened = list(self._homes)
            if table.synced:
                self.timeline.add(lambda sequence, time: diff.gap(sequence, time, table.title))
            table.synced = True
            self._wake(wakened)

    def apply(self, table: Table[V], raw: Raw, *, deleted: bool) -> None:
        """Take over one event of a watch."""
        with self._lock:
            self._wake(self._put(table, key_of(raw), None if deleted else table.parse(raw), raw))

    def fail(self, table: Table[V], error: ClusterError | None) -> None:
        """Say that a table is no longer up to date, which ends every wait with `error`; None: it is again."""
        with self._lock:
            if table.failure is not error:
                table.failure = error
                self._wake(list(self._homes))

    def check(self) -> None:
        """Raise what `fail` was given last for any table."""
        with self._lock:
            for table in (self.policies, self.nodes, self.pods, self.daemon_sets):
                if table.failure is not None:
                    raise table.failure

    def wake_all(self) -> None:
        """Have everyone who waits look again."""
        with self._lock:
            self._wake(list(self._homes))

    def revision(self, home: str | None = None) -> int:
        """Rises with every event that concerns the node or, for None, with every event there is."""
        with self._lock:
            if home is None:
                return self._revision
            self._home(home)  # who looks now and waits later must hear of what concerns everybody
            return self._revisions[home]

    def wait_for_change(self, revision: int, seconds: float, home: str | None = None) -> None:
        """Return when something happened after `revision` (of that node), or after so many real seconds."""
        with self._lock:
            condition = self._anything if home is None else self._home(home)
            condition.wait_for(lambda: self.revision(home) > revision, timeout=seconds)

    def get(self, table: Table[V], name: str, namespace: str = "") -> V | None:
        """One view, or None."""
        with self._lock:
            return table.views.get((namespace, name))

    def all(self, table: Table[V], group: str | None = None) -> list[V]:
        """All views, of one group or (None) any, by namespace and name."""
        with self._lock:
            return [view for _, view in sorted(table.in_group(group).items(), key=itemgetter(0))]

    def _put(self, table: Table[V], key: tuple[str, str], new: V | None, raw: Raw) -> set[str]:
        """Put a view in place of the old one, record what is different, and give the nodes that it concerns."""
        old = table.views.get(key)
        if old is not None and new is not None and old.version == new.version:
            return set()
        table.put(key, new)
        if table.record is not None and table.synced:
            table.record(self.timeline, old, new, raw)
        return {table.home(view) for view in (old, new) if view is not None}

    def _home(self, name: str) -> threading.Condition:
        return self._homes.setdefault(name, threading.Condition(self._lock))

    def _wake(self, homes: Iterable[str]) -> None:
        self._revision += 1
        self._anything.notify_all()
        for home in homes:
            self._revisions[home] += 1
            if (condition := self._homes.get(home)) is not None:
                condition.notify_all()


def key_of(raw: Mapping[str, Any]) -> tuple[str, str]:
    """Namespace (empty for cluster-scoped objects) and name of a raw object."""
    meta = raw["metadata"]
    return meta.get("namespace", ""), meta["name"]
