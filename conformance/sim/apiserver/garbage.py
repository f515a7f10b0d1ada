"""Garbage collection: dependents go when their last owner has gone.

Does what the garbage collector of kube-controller-manager v1.36 does: background deletion, and the finalizers
`foregroundDeletion` (dependents go first) and `orphan` (dependents stay and lose the reference).
"""

from __future__ import annotations

from conformance.sim.apiserver import metadata
from conformance.sim.apiserver.catalog import Catalog, Served
from conformance.sim.apiserver.checks import WriteOptions
from conformance.sim.apiserver.deletion import FOREGROUND_FINALIZER, ORPHAN_FINALIZER, DeleteOptions, delete
from conformance.sim.apiserver.objects import Object, look, replaced, without
from conformance.sim.apiserver.records import Event, Key, Record, ResourceKey
from conformance.sim.apiserver.registry import Registry
from conformance.sim.apiserver.work import WorkQueue

_Place = tuple[ResourceKey, Key]
_WRITE = WriteOptions(field_manager="garbage-collector")


class GarbageCollector:
    """Keeps an index from owners to dependents and cleans up behind deletions."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._places: dict[str, _Place] = {}
        self._dependents: dict[str, set[_Place]] = {}
        self.queue = WorkQueue[_Place](self._look_at)
        registry.store.listen(self._changed)

    def _changed(self, resource: ResourceKey, event: Event) -> None:
        obj, place = event.record.data, (resource, event.record.key)
        uid = str(look(obj, "metadata", "uid", default=""))
        before = _owner_uids(event.previous.data) if event.previous else set()
        after = _owner_uids(obj) if event.type != "DELETED" else set()
        for owner in before - after:
            self._dependents[owner].discard(place)
            if owner in self._places:
                self.queue.add(self._places[owner])
            elif not self._dependents[owner]:
                del self._dependents[owner]
        for owner in after:
            self._dependents.setdefault(owner, set()).add(place)
        if event.type == "DELETED":
            self._places.pop(uid, None)
            for dependent in self._dependents.get(uid, ()):
                self.queue.add(dependent)
            if not self._dependents.get(uid):
                self._dependents.pop(uid, None)
            return
        self._places[uid] = place
        if after - before or _waits_for_collector(obj):
            self.queue.add(place)

    def _look_at(self, place: _Place) -> None:
        served, record = self._find(place)
        if served is None or record is None:
            return
        owners = look(record.data, "metadata", "ownerReferences", default=[])
        gone = [owner for owner in owners if owner["uid"] not in self._places]
        if owners and (len(gone) == len(owners) or self._blocks_an_owner(owners)):
            delete(self._registry, served, record, DeleteOptions(policy="Background"))
        elif gone:
            self._set_owners(served, record, [owner for owner in owners if owner not in gone])
        else:
            self._finish_owner(served, record)

    def _blocks_an_owner(self, owners: list[Object]) -> bool:
        """Tell whether an owner waits, under `foregroundDeletion`, for this dependent to go."""
        for owner in owners:
            _, record = self._find(self._places.get(owner["uid"]))
            if record and FOREGROUND_FINALIZER in look(record.data, "metadata", "finalizers", default=[]):
                return True
        return False

    def _finish_owner(self, served: Served, record: Record) -> None:
        """Do what an owner's own finalizer asks for and take that finalizer away."""
        finalizers = look(record.data, "metadata", "finalizers", default=[])
        dependents = sorted(self._dependents.get(record.data["metadata"]["uid"], ()))
        if not _waits_for_collector(record.data):
            return
        if ORPHAN_FINALIZER in finalizers:
            self._orphan(record, dependents)
        elif dependents:
            for dependent in dependents:
                self.queue.add(dependent)
            return
        kept = [name for name in finalizers if name not in (ORPHAN_FINALIZER, FOREGROUND_FINALIZER)]
        self._registry.update(served, record, metadata.with_finalizers(record.data, kept), _WRITE)

    def _orphan(self, owner: Record, dependents: list[_Place]) -> None:
        uid = owner.data["metadata"]["uid"]
        for place in dependents:
            served, record = self._find(place)
            if served and record:
                owners = look(record.data, "metadata", "ownerReferences", default=[])
                self._set_owners(served, record, [item for item in owners if item["uid"] != uid])

    def _set_owners(self, served: Served, record: Record, owners: list[Object]) -> None:
        path = ("metadata", "ownerReferences")
        changed = replaced(record.data, owners, *path) if owners else without(record.data, *path)
        self._registry.update(served, record, changed, _WRITE)

    def _find(self, place: _Place | None) -> tuple[Served | None, Record | None]:
        if place is None:
            return None, None
        resource, key = place
        return _served(self._registry.catalog, resource), self._registry.store.collection(resource).get(key)


def _served(catalog: Catalog, resource: ResourceKey) -> Served | None:
    return next((served for served in catalog if served.resource.key == resource), None)


def _owner_uids(obj: Object) -> set[str]:
    return {owner["uid"] for owner in look(obj, "metadata", "ownerReferences", default=[])}


def _waits_for_collector(obj: Object) -> bool:
    finalizers = look(obj, "metadata", "finalizers", default=[])
    deleting = look(obj, "metadata", "deletionTimestamp") is not None
    return deleting and (ORPHAN_FINALIZER in finalizers or FOREGROUND_FINALIZER in finalizers)
