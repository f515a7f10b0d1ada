"""What the suite knows of the cluster: fed by watch threads, one lock, one condition that every change wakes."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping
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
        synced: The first list has been read.
        failure: Why it is not kept up to date at present; None while it is.
    """

    def __init__(
        self,
        title: str,
        parse: Callable[[Raw], V],
        record: Callable[[Timeline, V | None, V | None, Raw], None] | None = None,
        group: Callable[[V], str] = lambda _: "",
    ) -> None:
        self.title = title
        self.parse = parse
        self.record = record
        self.group = group
        self.synced = False
        self.failure: ClusterError | None = None
        self.views: dict[tuple[str, str], V] = {}
        self._groups: defaultdict[str, dict[tuple[str, str], V]] = defaultdict(dict)

    def of(self, group: str | None) -> Mapping[tuple[str, str], V]:
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
        self.nodes: Table[NodeView] = Table("nodes", node_view, diff.node)
        self.pods: Table[PodView] = Table("pods", pod_view, diff.pod, lambda pod: pod.node or "")
        self.daemon_sets: Table[DaemonSetView] = Table("daemonsets", daemon_set_view)
        self.policies: Table[PolicyView] = Table("clusterpolicies", policy_view, diff.policy)
        self._condition = threading.Condition()
        self._revision = 0

    def replace(self, table: Table[V], objects: Mapping[tuple[str, str], Raw]) -> None:
        """Take over a whole list; what differs from before is recorded, except for the first list."""
        with self._condition:
            for key in table.views.keys() - objects.keys():
                self._put(table, key, None, {})
            for key, raw in objects.items():
                self._put(table, key, table.parse(raw), raw)
            if table.synced:
                self.timeline.add(lambda sequence, time: diff.gap(sequence, time, table.title))
            table.synced = True
            self._changed()

    def apply(self, table: Table[V], raw: Raw, *, deleted: bool) -> None:
        """Take over one event of a watch."""
        with self._condition:
            self._put(table, key_of(raw), None if deleted else table.parse(raw), raw)
            self._changed()

    def fail(self, table: Table[V], error: ClusterError | None) -> None:
        """Say that a table is no longer up to date, which ends every wait with `error`; None: it is again."""
        with self._condition:
            if table.failure is not error:
                table.failure = error
                self._changed()

    def check(self) -> None:
        """Raise what `fail` was given last for any table."""
        with self._condition:
            for table in (self.policies, self.nodes, self.pods, self.daemon_sets):
                if table.failure is not None:
                    raise table.failure

    @property
    def revision(self) -> int:
        """Rises with every event."""
        with self._condition:
            return self._revision

    def wait_beyond(self, revision: int, seconds: float) -> None:
        """Return when something happened after `revision`, or after so many real seconds."""
        with self._condition:
            self._condition.wait_for(lambda: self._revision > revision, timeout=seconds)

    def get(self, table: Table[V], name: str, namespace: str = "") -> V | None:
        """One view, or None."""
        with self._condition:
            return table.views.get((namespace, name))

    def all(self, table: Table[V], group: str | None = None) -> list[V]:
        """All views, of one group or (None) any, by namespace and name."""
        with self._condition:
            return [view for _, view in sorted(table.of(group).items(), key=itemgetter(0))]

    def _put(self, table: Table[V], key: tuple[str, str], new: V | None, raw: Raw) -> None:
        old = table.views.get(key)
        if old is not None and new is not None and old.version == new.version:
            return
        table.put(key, new)
        if table.record is not None and table.synced:
            table.record(self.timeline, old, new, raw)

    def _changed(self) -> None:
        self._revision += 1
        self._condition.notify_all()


def key_of(raw: Mapping[str, Any]) -> tuple[str, str]:
    """Namespace (empty for cluster-scoped objects) and name of a raw object."""
    meta = raw["metadata"]
    return meta.get("namespace", ""), meta["name"]
