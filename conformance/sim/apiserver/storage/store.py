"""The store: all objects, and a bounded history of changes for each resource.

One revision counts the changes of all resources, as in etcd. Nothing here awaits, so a read followed by a write without
an `await` in between is atomic.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Mapping

from conformance.sim.apiserver.errors import expired
from conformance.sim.apiserver.objects import Event, Key, Object, Record, ResourceKey, replaced

Listener = Callable[[Event], None]


class Collection:
    """All objects of one resource, its recent changes and its listeners.

    Attributes:
        floor: Revision up to which the history has been dropped; a client that is older has to list again.
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
        """Return the current version of an object, None if there is none."""
        return self._records.get(key)

    def records(self, namespace: str | None = None) -> list[Record]:
        """Return all current objects, sorted by key; those of all namespaces if `namespace` is None."""
        return _sorted(self._records, namespace)

    def records_at(self, revision: int, namespace: str | None = None) -> list[Record]:
        """Return the objects as they were at `revision`; raises ApiError (410) if they are compacted."""
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
        return _sorted(records, namespace)

    def put(self, data: Object) -> Record:
        """Store a new version of an object under the next revision and notify the listeners."""
        revision = self._store.next_revision()
        record = Record(replaced(data, str(revision), "metadata", "resourceVersion"), revision)
        previous = self._records.get(record.key)
        self._records[record.key] = record
        self._publish(Event("MODIFIED" if previous else "ADDED", record, previous))
        return record

    def remove(self, key: Key, last: Object | None = None) -> Record:
        """Remove an object and notify the listeners.

        Args:
            key: Key of the object; raises KeyError if there is none.
            last: Its last state if that differs from the stored one; None if it does not.

        Returns:
            The last state, with the revision of the deletion.
        """
        previous = self._records.pop(key)
        revision = self._store.next_revision()
        data = replaced(last or previous.data, str(revision), "metadata", "resourceVersion")
        record = Record(data, revision)
        self._publish(Event("DELETED", record, previous))
        return record

    def since(self, revision: int) -> Iterator[Event]:
        """Return the changes after `revision`, oldest first. The caller must have compared `revision` with `floor`."""
        start = len(self._events)
        while start and self._events[start - 1].revision > revision:
            start -= 1
        return (self._events[number] for number in range(start, len(self._events)))

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` with every later change, in order. Return a function that ends the subscription."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    def _publish(self, event: Event) -> None:
        self._events.append(event)
        if len(self._events) > self._history:
            self.floor = self._events.popleft().revision
        for listener in tuple(self._listeners):
            listener(event)
        self._store.tell(self._key, event)


def _sorted(records: Mapping[Key, Record], namespace: str | None) -> list[Record]:
    keys = records if namespace is None else [key for key in records if key[0] == namespace]
    return [records[key] for key in sorted(keys)]


class Store:
    """The collections of all resources, with one revision for all of them.

    Args:
        history: Number of changes of each resource that are kept for watches that resume.

    Attributes:
        revision: Revision of the last change.
    """

    FIRST_REVISION = 1000
    """Starts above 1 so that low revisions are expired from the start, as in an old cluster."""

    def __init__(self, history: int) -> None:
        self._history = history
        self.revision = self.FIRST_REVISION
        self._collections: dict[ResourceKey, Collection] = {}
        self._listeners: list[Callable[[ResourceKey, Event], None]] = []

    def collection(self, key: ResourceKey) -> Collection:
        """Return the collection of a resource, creating it on first use."""
        if key not in self._collections:
            self._collections[key] = Collection(self, key, self._history)
        return self._collections[key]

    def listen(self, listener: Callable[[ResourceKey, Event], None]) -> None:
        """Call `listener` with every later change of every resource, in order."""
        self._listeners.append(listener)

    def tell(self, key: ResourceKey, event: Event) -> None:
        """Notify the listeners to all resources of a change in one collection."""
        for listener in self._listeners:
            listener(key, event)

    def next_revision(self) -> int:
        """Advance the revision by one change and return it."""
        self.revision += 1
        return self.revision
