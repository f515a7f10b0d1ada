"""What the server keeps: the objects, and per resource the last changes of them.

One revision counts every change of every resource, as etcd does. Nothing here awaits: who reads and then writes
without an await in between is alone with the store.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from conformance.sim.apiserver.errors import expired
from conformance.sim.apiserver.objects import Event, Key, Object, Record, ResourceKey, replaced

Listener = Callable[[Event], None]


class Collection:
    """All objects of one resource, its last changes and who listens to them.

    Attributes:
        floor: Revision up to which changes are forgotten; who has seen less than it has to list again.
    """

    def __init__(self, store: Store, key: ResourceKey, history: int) -> None:
        self._store = store
        self._key = key
        self._records: dict[Key, Record] = {}
        self._events: deque[Event] = deque()
        self._history = history
        self._listeners: list[Listener] = []
        self.floor = Store.FIRST_REVISION

    def __len__(self) -> int:
        return len(self._records)

    def get(self, key: Key) -> Record | None:
        """Return the current version of an object, None where there is none."""
        return self._records.get(key)

    def records(self, namespace: str | None = None) -> list[Record]:
        """Return all current objects in the order of their keys; of all namespaces where `namespace` is None."""
        return [self._records[key] for key in sorted(self._records) if namespace is None or key[0] == namespace]

    def records_at(self, revision: int, namespace: str | None = None) -> list[Record]:
        """Return the objects as they were at `revision`; raises ApiError (410) where that is forgotten."""
        if revision < self.floor:
            raise expired(f"The resourceVersion for the provided list is too old: {revision} ({self.floor})")
        records = dict(self._records)
        for event in reversed(self._events):
            if event.revision <= revision:
                break
            if event.previous is None:
                records.pop(event.record.key, None)
            else:
                records[event.record.key] = event.previous
        return [records[key] for key in sorted(records) if namespace is None or key[0] == namespace]

    def put(self, data: Object) -> Record:
        """Store a new version of an object under the next revision and tell the listeners."""
        revision = self._store.next_revision()
        record = Record(replaced(data, str(revision), "metadata", "resourceVersion"), revision)
        previous = self._records.get(record.key)
        self._records[record.key] = record
        self._publish(Event("MODIFIED" if previous else "ADDED", record, previous))
        return record

    def remove(self, key: Key, last: Object | None = None) -> Record:
        """Take an object out and tell the listeners.

        Args:
            key: Which object; raises KeyError where there is none.
            last: Its last state where that differs from the stored one.

        Returns:
            The last state under the revision of the deletion.
        """
        previous = self._records.pop(key)
        revision = self._store.next_revision()
        data = replaced(last or previous.data, str(revision), "metadata", "resourceVersion")
        record = Record(data, revision)
        self._publish(Event("DELETED", record, previous))
        return record

    def since(self, revision: int) -> Iterator[Event]:
        """Return the kept changes after `revision`, oldest first; the caller has compared it with `floor`."""
        start = len(self._events)
        while start and self._events[start - 1].revision > revision:
            start -= 1
        return (self._events[number] for number in range(start, len(self._events)))

    def forget(self) -> None:
        """Forget every change up to now, as a compaction does."""
        self._events.clear()
        self.floor = self._store.revision

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every later change, in order; returns the function that ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _publish(self, event: Event) -> None:
        self._events.append(event)
        if len(self._events) > self._history:
            self.floor = self._events.popleft().revision
        for listener in tuple(self._listeners):
            listener(event)
        self._store.tell(self._key, event)


class Store:
    """The collections of all resources under one revision.

    Args:
        history: How many changes of each resource are kept for watches that resume.

    Attributes:
        revision: Revision of the last change.
    """

    FIRST_REVISION = 1000
    """As if earlier changes had been made and forgotten: revision 1 is expired from the start."""

    def __init__(self, history: int) -> None:
        self._history = history
        self.revision = self.FIRST_REVISION
        self._collections: dict[ResourceKey, Collection] = {}
        self._listeners: list[Callable[[ResourceKey, Event], None]] = []

    def collection(self, key: ResourceKey) -> Collection:
        """Return the collection of a resource; it is made when first asked for."""
        if key not in self._collections:
            self._collections[key] = Collection(self, key, self._history)
        return self._collections[key]

    def listen(self, listener: Callable[[ResourceKey, Event], None]) -> None:
        """Call `listener` with every later change of every resource, in order."""
        self._listeners.append(listener)

    def tell(self, key: ResourceKey, event: Event) -> None:
        """Pass a change of one collection on to those who listen to all."""
        for listener in self._listeners:
            listener(key, event)

    def next_revision(self) -> int:
        """Count one change."""
        self.revision += 1
        return self.revision

    def forget(self) -> None:
        """Forget every change up to now, as a compaction does."""
        for collection in self._collections.values():
            collection.forget()
