"""The store: current views of all watched objects, written by watch threads under one lock.

A change wakes only the threads that wait for its node or for the whole cluster. A run on hundreds of nodes has a
waiting thread for each, and waking all of them for every change would be too expensive.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from operator import itemgetter
from typing import Any, Generic, Protocol, TypeVar

from conformance.cluster import diff
from conformance.cluster.errors import ClusterError
from conformance.cluster.outages import NOTABLE, Outages
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
    """What all views have in common."""

    @property
    def version(self) -> str:
        """The object's resourceVersion."""
        ...


V = TypeVar("V", bound=View)


class Table(Generic[V]):
    """All objects of one resource type, by (namespace, name). The namespace of cluster-scoped objects is empty.

    Attributes:
        title: Name of the resource type for messages.
        parse: Creates a view from a raw object.
        record: Adds the differences between two views of an object (None if it did not or does not exist) to the
            timeline; the last argument is the new raw object. None if differences are not recorded.
        group: Key of the secondary index; pods are grouped by node.
        node_of: Node whose waiting threads a change of the view must wake; empty if there is none.
        synced: Whether the first list has been read.
        failure: Why the table is currently not kept up to date; None while it is.
    """

    def __init__(
        self,
        title: str,
        parse: Callable[[Raw], V],
        record: Callable[[Timeline, V | None, V | None, Raw], None] | None = None,
        group: Callable[[V], str] = lambda _: "",
        node_of: Callable[[V], str] = lambda _: "",
    ) -> None:
        self.title = title
        self.parse = parse
        self.record = record
        self.group = group
        self.node_of = node_of
        self.synced = False
        self.failure: ClusterError | None = None
        self.views: dict[tuple[str, str], V] = {}
        self._groups: defaultdict[str, dict[tuple[str, str], V]] = defaultdict(dict)

    def in_group(self, group: str | None) -> Mapping[tuple[str, str], V]:
        """Return the views of one group. None means all views."""
        return self.views if group is None else self._groups.get(group, {})

    def put(self, key: tuple[str, str], view: V | None) -> None:
        """Replace the view under `key`; None removes it."""
        old = self.views.pop(key, None)
        if old is not None:
            del self._groups[self.group(old)][key]
        if view is not None:
            self.views[key] = self._groups[self.group(view)][key] = view


class Store:
    """All tables, under one lock. Watch threads write; any thread may read."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.outages = Outages(timeline.now)
        self.nodes: Table[NodeView] = Table("nodes", node_view, diff.node, node_of=lambda node: node.name)
        self.pods: Table[PodView] = Table(
            "pods", pod_view, diff.pod, group=lambda pod: pod.node or "", node_of=lambda pod: pod.assigned_node
        )
        self.daemon_sets: Table[DaemonSetView] = Table("daemonsets", daemon_set_view, diff.daemon_set)
        self.policies: Table[PolicyView] = Table("clusterpolicies", policy_view, diff.policy)
        self._lock = threading.RLock()
        self._anything = threading.Condition(self._lock)
        self._by_node: dict[str, threading.Condition] = {}
        self._revision = 0
        self._revisions: defaultdict[str, int] = defaultdict(int)

    def replace(self, table: Table[V], objects: Mapping[tuple[str, str], Raw]) -> None:
        """Replace all objects of a table by a list. Differences are recorded, except for the first list.

        A later list also records a gap, because changes between the end of the watch and the list may be missing.
        """
        with self._lock:
            for key in table.views.keys() - objects.keys():
                self._put(table, key, None, {})
            for key, raw in objects.items():
                self._put(table, key, table.parse(raw), raw)
            nodes = list(self._by_node)
            if table.synced:
                self.timeline.add(lambda sequence, time: diff.gap(sequence, time, table.title))
            table.synced = True
            self._wake(nodes)

    def apply(self, table: Table[V], raw: Raw, *, deleted: bool) -> None:
        """Apply one watch event."""
        with self._lock:
            self._wake(self._put(table, key_of(raw), None if deleted else table.parse(raw), raw))

    def lost(self, table: Table[V]) -> None:
        """Record that the watch of a table lost its connection."""
        self.outages.lost(table.title)

    def found(self, table: Table[V]) -> None:
        """Record that the watch of a table has a connection, and in the timeline a notable outage that this ended."""
        if (length := self.outages.found(table.title)) is not None and length.real >= NOTABLE:
            self.timeline.add(partial(diff.outage, length.real))

    def fail(self, table: Table[V], error: ClusterError | None) -> None:
        """Mark a table as out of date, which ends every wait with `error`. None marks it as up to date again."""
        with self._lock:
            if table.failure is not error:
                table.failure = error
                self._wake(list(self._by_node))

    def check(self) -> None:
        """Raise the failure of the first table that is out of date, if there is one."""
        with self._lock:
            for table in (self.policies, self.nodes, self.pods, self.daemon_sets):
                if table.failure is not None:
                    raise table.failure

    def wake_all(self) -> None:
        """Make every waiting thread check its condition again."""
        with self._lock:
            self._wake(list(self._by_node))

    def revision(self, node: str | None = None) -> int:
        """Return a number that grows with every event that concerns `node`. None means every event of the cluster."""
        with self._lock:
            if node is None:
                return self._revision
            self._condition(node)  # registers the node, so that events for all nodes raise its revision from now on
            return self._revisions[node]

    def wait_for_change(self, revision: int, seconds: float, node: str | None = None) -> None:
        """Block until the revision (of `node`, if given) exceeds `revision`, or for `seconds` real seconds."""
        with self._lock:
            condition = self._anything if node is None else self._condition(node)
            condition.wait_for(lambda: self.revision(node) > revision, timeout=seconds)

    def get(self, table: Table[V], name: str, namespace: str = "") -> V | None:
        """Return one view, or None if the object does not exist."""
        with self._lock:
            return table.views.get((namespace, name))

    def reached(self, table: Table[V], name: str, version: str | None) -> bool:
        """Return whether a cluster-scoped object is at a resourceVersion or at a later one. None means that it is gone.

        Kubernetes compares resourceVersions of one resource type as numbers (KEP 5504).
        """
        view = self.get(table, name)
        if view is None or version is None:
            return view is None
        return view.version == version or int(view.version) >= int(version)

    def all(self, table: Table[V], group: str | None = None) -> list[V]:
        """Return the views of one group, sorted by namespace and name. None means all groups."""
        with self._lock:
            return [view for _, view in sorted(table.in_group(group).items(), key=itemgetter(0))]

    def _put(self, table: Table[V], key: tuple[str, str], new: V | None, raw: Raw) -> set[str]:
        """Replace a view, record the differences, and return the nodes concerned."""
        old = table.views.get(key)
        if old is not None and new is not None and old.version == new.version:
            return set()
        table.put(key, new)
        if table.record is not None and table.synced:
            table.record(self.timeline, old, new, raw)
        return {table.node_of(view) for view in (old, new) if view is not None}

    def _condition(self, name: str) -> threading.Condition:
        return self._by_node.setdefault(name, threading.Condition(self._lock))

    def _wake(self, nodes: Iterable[str]) -> None:
        self._revision += 1
        self._anything.notify_all()
        for node in nodes:
            self._revisions[node] += 1
            if (condition := self._by_node.get(node)) is not None:
                condition.notify_all()


def key_of(raw: Mapping[str, Any]) -> tuple[str, str]:
    """Return namespace (empty for cluster-scoped objects) and name of a raw object."""
    meta = raw["metadata"]
    return meta.get("namespace", ""), meta["name"]
