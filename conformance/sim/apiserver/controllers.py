"""The controllers that run beside the API server: garbage collection and disruption budgets.

They behave like their counterparts in kube-controller-manager v1.36, but read and write the store directly.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from typing import Any

from conformance.sim.apiserver.objects import Event, Key, Object, Record, ResourceKey, look, replaced, without
from conformance.sim.apiserver.resources import metadata
from conformance.sim.apiserver.resources.catalog import Catalog, Served
from conformance.sim.apiserver.resources.pods import FINISHED, is_ready
from conformance.sim.apiserver.resources.selectors import selector_of
from conformance.sim.apiserver.writing.deletion import FOREGROUND_FINALIZER, ORPHAN_FINALIZER, DeleteOptions, delete
from conformance.sim.apiserver.writing.registry import Registry, WriteOptions
from conformance.sim.workqueue import KeyT, WorkQueue

_LOG = logging.getLogger(__name__)
_Place = tuple[ResourceKey, Key]
_COLLECTING = WriteOptions(field_manager="garbage-collector")
_BUDGETS: ResourceKey = ("policy", "poddisruptionbudgets")
_PODS: ResourceKey = ("", "pods")


def work_queue(reconcile: Callable[[KeyT], None]) -> WorkQueue[KeyT]:
    """Return a queue that calls `reconcile` for each key and yields to the event loop after each.

    An exception is logged: one key that cannot be handled must not stop the controller.
    """

    async def work(key: KeyT) -> None:
        try:
            reconcile(key)
        except Exception:  # noqa: BLE001 - see above
            _LOG.exception("could not handle %s", key)
        await asyncio.sleep(0)

    return WorkQueue(work)


class GarbageCollector:
    """Deletes dependents when their last owner is gone.

    Handles background deletion and the finalizers `foregroundDeletion` (dependents go first) and `orphan` (dependents
    stay and lose the reference).
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._places: dict[str, _Place] = {}
        self._dependents: dict[str, set[_Place]] = {}
        self.queue = work_queue(self._reconcile)
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

    def _reconcile(self, place: _Place) -> None:
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
        """Return whether an owner with the finalizer `foregroundDeletion` waits for this dependent to go."""
        for owner in owners:
            _, record = self._find(self._places.get(owner["uid"]))
            if record and FOREGROUND_FINALIZER in look(record.data, "metadata", "finalizers", default=[]):
                return True
        return False

    def _finish_owner(self, served: Served, record: Record) -> None:
        """Carry out the finalizer of an owner that is being deleted, then remove the finalizer."""
        if not _waits_for_collector(record.data):
            return
        finalizers = look(record.data, "metadata", "finalizers", default=[])
        dependents = sorted(self._dependents.get(record.data["metadata"]["uid"], ()))
        if ORPHAN_FINALIZER in finalizers:
            self._orphan(record, dependents)
        elif dependents:
            for dependent in dependents:
                self.queue.add(dependent)
            return
        kept = [name for name in finalizers if name not in (ORPHAN_FINALIZER, FOREGROUND_FINALIZER)]
        self._registry.update(served, record, metadata.with_finalizers(record.data, kept), _COLLECTING)

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
        self._registry.update(served, record, changed, _COLLECTING)

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


def disruption_budgets_of(registry: Registry, pod: Object) -> list[Object]:
    """Return the budgets that limit the eviction of `pod`; none for a pod that is not running."""
    if look(pod, "status", "phase") in ("Pending", *FINISHED) or look(pod, "metadata", "deletionTimestamp"):
        return []
    budgets = registry.store.collection(_BUDGETS).records(pod["metadata"]["namespace"])
    return [budget.data for budget in budgets if selector_of(look(budget.data, "spec", "selector", default={}))(pod)]


def with_one_disruption_less(budget: Object) -> Object:
    """Return `budget` with one fewer disruption allowed."""
    allowed = look(budget, "status", "disruptionsAllowed", default=0)
    return replaced(budget, allowed - 1, "status", "disruptionsAllowed")


class DisruptionController:
    """Keeps the status of every PodDisruptionBudget up to date.

    Unlike the real controller, it expects as many pods as match the selector, not the scale of their owners.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.queue = work_queue(self._reconcile)
        registry.store.listen(self._changed)

    def _changed(self, resource: ResourceKey, event: Event) -> None:
        budgets = self._registry.store.collection(_BUDGETS)
        if resource == _BUDGETS and event.type != "DELETED":
            self.queue.add(event.record.key)
        elif resource == _PODS and len(budgets):
            for budget in budgets.records(event.record.key[0]):
                self.queue.add(budget.key)

    def _reconcile(self, key: Key) -> None:
        budgets = self._registry.store.collection(_BUDGETS)
        record = budgets.get(key)
        if record is None:
            return
        spec = record.data["spec"]
        matches = selector_of(look(spec, "selector", default={}))
        pods = [pod.data for pod in self._registry.store.collection(_PODS).records(key[0]) if matches(pod.data)]
        healthy = sum(is_ready(pod) for pod in pods)
        wanted = _wanted_healthy(spec, len(pods))
        status = {
            "currentHealthy": healthy,
            "desiredHealthy": wanted,
            "disruptionsAllowed": max(healthy - wanted, 0),
            "expectedPods": len(pods),
            "observedGeneration": look(record.data, "metadata", "generation", default=1),
        }
        if record.data.get("status") != status:
            budgets.put(replaced(record.data, status, "status"))


def _wanted_healthy(spec: Object, expected: int) -> int:
    if spec.get("maxUnavailable") is not None:
        return max(expected - _count(spec["maxUnavailable"], expected), 0)
    return _count(spec.get("minAvailable", 1), expected)


def _count(value: Any, total: int) -> int:
    """Return the number for an IntOrString: a percentage is taken of `total` and rounded up."""
    return math.ceil(int(value[:-1]) * total / 100) if isinstance(value, str) else int(value)
