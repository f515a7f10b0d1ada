"""Creating and changing objects: from what a client sent to what is stored.

Nothing here awaits, so that every read-modify-write is alone with the store.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from conformance.sim.apiserver import metadata
from conformance.sim.apiserver.catalog import Catalog, Served
from conformance.sim.apiserver.checks import (
    WriteOptions,
    check,
    check_revision,
    essence,
    identified,
    only_changing,
    read,
)
from conformance.sim.apiserver.errors import already_exists, forbidden, not_found
from conformance.sim.apiserver.objects import Object, look, name_of, replaced, without
from conformance.sim.apiserver.patching import shared
from conformance.sim.apiserver.records import Record
from conformance.sim.apiserver.store import Collection, Store


@dataclass(frozen=True)
class Written:
    """The result of a write.

    Attributes:
        record: The object as it now is, or would be in a dry run.
        created: Whether it is new.
        warnings: What the client should know, such as fields that were dropped.
    """

    record: Record
    created: bool = False
    warnings: tuple[str, ...] = field(default=())


class Registry:
    """All objects behind the rules that guard them.

    Args:
        store: Where the objects are.
        catalog: What is served.
        now: Returns the time of the cluster.
    """

    def __init__(self, store: Store, catalog: Catalog, now: Callable[[], datetime]) -> None:
        self.store = store
        self.catalog = catalog
        self.now = now

    def collection(self, served: Served) -> Collection:
        """Return the objects of a resource."""
        return self.store.collection(served.resource.key)

    def get(self, served: Served, namespace: str, name: str) -> Record:
        """Return an object; raises ApiError (404) where there is none."""
        record = self.collection(served).get((namespace, name))
        if record is None:
            raise not_found(served.resource.plural, name, served.resource.group)
        return record

    def create(self, served: Served, namespace: str, body: Object, options: WriteOptions) -> Written:
        """Store a new object; raises ApiError for a body or a namespace that does not fit, or a name in use."""
        resource, kind = served.resource, served.kind
        obj = metadata.for_create(identified(body, served, namespace), namespace, self.now())
        if served.has_status and not kind.keeps_status:
            obj = without(obj, "status") if served.custom else replaced(obj, {}, "status")
        if kind.counts_generation:
            obj = replaced(obj, 1, "metadata", "generation")
        obj, warnings = read(obj, served, None, options)
        if namespace:
            self._check_namespace(namespace, resource.plural, name_of(obj))
        obj = kind.prepare(kind.default(obj))
        check(obj, served, None)
        if self.collection(served).get((namespace, name_of(obj))):
            raise already_exists(resource.plural, name_of(obj), resource.group)
        record = Record(obj, 0) if options.dry_run else self.collection(served).put(obj)
        return Written(record, created=True, warnings=warnings)

    def update(
        self, served: Served, old: Record, body: Object, options: WriteOptions, subresource: str = ""
    ) -> Written:
        """Store a new version of an object.

        Args:
            served: The resource.
            old: The version that the new one replaces.
            body: The new version as the client sent it, or as a patch made it.
            options: How to write.
            subresource: `status` where only the status may change; empty where everything else may.

        Returns:
            The stored version; the old one where nothing has changed.

        Raises:
            ApiError: 409 where `body` is based on another version than `old`, 400 or 422 where it does not fit.
        """
        new = identified(body, served, look(old.data, "metadata", "namespace", default=""))
        check_revision(new, old, served)
        new = metadata.for_update(new, old.data)
        new = only_changing(subresource, new, old.data, served)
        new, warnings = read(shared(old.data, new), served, old.data, options)
        new = shared(old.data, served.kind.default(new))
        if new == old.data:
            return Written(old, warnings=warnings)
        if served.kind.counts_generation and essence(new, served) != essence(old.data, served):
            generation = look(old.data, "metadata", "generation", default=0)
            new = replaced(new, generation + 1, "metadata", "generation")
        check(new, served, old.data)
        return Written(self._stored(served, new, options), warnings=warnings)

    def _stored(self, served: Served, new: Object, options: WriteOptions) -> Record:
        """Store a new version, or take the object out where this change was the last thing its end waited for."""
        if options.dry_run:
            return Record(new, 0)
        collection = self.collection(served)
        if is_ended(new) and served.resource.key != ("", "namespaces"):
            return collection.remove(Record(new, 0).key, new)
        return collection.put(new)

    def _check_namespace(self, namespace: str, plural: str, name: str) -> None:
        record = self.store.collection(("", "namespaces")).get(("", namespace))
        if record is None:
            raise not_found("namespaces", namespace)
        if look(record.data, "metadata", "deletionTimestamp"):
            why = f"unable to create new content in namespace {namespace} because it is being terminated"
            raise forbidden(plural, name, why)


def is_ended(obj: Object) -> bool:
    """Tell whether nothing keeps an object that is being deleted: no finalizer and no grace that is left."""
    meta = obj["metadata"]
    return "deletionTimestamp" in meta and not meta.get("finalizers") and not meta.get("deletionGracePeriodSeconds", 0)
