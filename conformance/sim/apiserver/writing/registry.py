"""Creating and changing objects: from what a client sent, through the rules, to what is stored.

Nothing here awaits, so that every read-modify-write is alone with the store.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime

from conformance.sim.apiserver.errors import (
    Cause,
    UnreadableError,
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid,
    not_found,
    unprocessable,
)
from conformance.sim.apiserver.objects import Object, Record, look, name_of, replaced, with_field_of, without
from conformance.sim.apiserver.resources import metadata
from conformance.sim.apiserver.resources.catalog import Catalog, Served
from conformance.sim.apiserver.resources.decode import Mistyped, Reading
from conformance.sim.apiserver.storage.store import Collection, Store
from conformance.sim.apiserver.writing.patches import shared

_UNMODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


@dataclass(frozen=True)
class WriteOptions:
    """What a request says about how to write.

    Attributes:
        dry_run: Whether to do everything but store the result.
        field_manager: Who the fields belong to that the request sets.
        force: Whether an apply takes fields from other managers.
        strict: Whether unknown fields are refused rather than dropped.
    """

    dry_run: bool = False
    field_manager: str = "unknown"
    force: bool = False
    strict: bool = False


def identified(body: Object, served: Served, namespace: str) -> Object:
    """Return `body` with `apiVersion` and `kind`; raises ApiError (400) where it says that it is something else."""
    resource = served.resource
    if served.custom and not (body.get("kind") and body.get("apiVersion")):
        missing = "apiVersion" if body.get("kind") else "Kind"
        message = (
            f"the object provided is unrecognized (must be of type {resource.kind}): Object '{missing}' is missing"
        )
        raise bad_request(message)
    identity = {"apiVersion": resource.api_version, "kind": resource.kind}
    for name, wanted in identity.items():
        if (body.get(name) or wanted) != wanted:
            message = f"the {name} in the data ({body[name]}) does not match the expected {name} ({wanted})"
            raise bad_request(message)
    if (look(body, "metadata", "namespace") or namespace) != namespace:
        message = "the namespace of the provided object does not match the namespace sent on the request"
        raise bad_request(message)
    return body if identity.items() <= body.items() else {**body, **identity}


def read(obj: Object, served: Served, old: Object | None, options: WriteOptions) -> tuple[Object, tuple[str, ...]]:
    """Return `obj` as read against its shape, and warnings about dropped fields."""
    resource = served.resource
    reading = Reading()
    result: Object = reading.read(obj, served.schema, old)
    if reading.mistyped and served.custom:
        reading.broken += [_type_breach(item) for item in reading.mistyped]
    elif reading.mistyped:
        first = reading.mistyped[0]
        message = f'{resource.kind} in version "{resource.version}" cannot be handled as a {resource.kind}'
        detail = f"json: cannot unmarshal {first.found} into field {first.field} of type {first.wanted}"
        raise UnreadableError(message, detail)
    if reading.unknown and options.strict:
        fields = ", ".join(f'unknown field "{name}"' for name in reading.unknown)
        raise bad_request(f"strict decoding error: {fields}")
    if reading.broken:
        raise unprocessable(resource.kind, name_of(obj), reading.broken, resource.group)
    return result, tuple(f'unknown field "{name}"' for name in reading.unknown)


def _type_breach(item: Mistyped) -> Cause:
    detail = f'{item.field} in body must be of type {item.wanted}: "{item.found}"'
    return replace(invalid(item.field, item.found, detail), reason="FieldValueTypeInvalid")


def check(obj: Object, served: Served, old: Object | None) -> None:
    """Raise ApiError (422) where an object that was read breaks the rules of its kind."""
    if old is None or obj["metadata"] is not old["metadata"]:
        broken = metadata.breaches(obj, served.resource.plural)
    else:
        broken = []
    if old is None or any(obj.get(name) is not old.get(name) for name in obj if name not in ("metadata", "status")):
        broken += served.kind.breaches(obj)
    if old is not None:
        broken += metadata.update_breaches(obj, old) + served.kind.update_breaches(obj, old)
    if broken:
        raise unprocessable(served.resource.kind, name_of(obj), broken, served.resource.group)


def check_revision(new: Object, old: Record, served: Served) -> None:
    """Raise ApiError (409, 422, 400) where `new` is based on another version or object than `old`."""
    resource, name = served.resource, name_of(old.data)
    based_on = look(new, "metadata", "resourceVersion", default="")
    if not based_on and served.kind.needs_revision:
        cause = invalid("metadata.resourceVersion", 0, "must be specified for an update")
        raise unprocessable(resource.plural, name, [cause], resource.group)
    if based_on not in ("", str(old.revision)):
        raise conflict(resource.plural, name, _UNMODIFIED, resource.group)
    uid = look(new, "metadata", "uid")
    if uid and uid != look(old.data, "metadata", "uid"):
        found = look(old.data, "metadata", "uid")
        why = f"Precondition failed: UID in precondition: {uid}, UID in object meta: {found}"
        raise conflict(resource.plural, name, why, resource.group)
    if name_of(new) not in ("", name):
        raise bad_request(f"the name of the object ({name_of(new)}) does not match the name on the URL ({name})")


def only_changing(subresource: str, new: Object, old: Object, served: Served) -> Object:
    """Return `new` with everything as in `old` that this path may not change."""
    if not served.has_status:
        return new
    if subresource != "status":
        return with_field_of(new, old, "status")
    if served.custom:
        return with_field_of(old, new, "status")
    return {**old, "metadata": new["metadata"], "status": new.get("status") or {}}


def essence(obj: Object, served: Served) -> Object:
    """Return what the generation of an object counts the changes of."""
    left_out = ("metadata", "status") if served.has_status else ("metadata",)
    return {name: value for name, value in obj.items() if name not in left_out}


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
