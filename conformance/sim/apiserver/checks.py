"""The rules between what a client sent and what may be stored, and the refusals of what breaks them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from conformance.sim.apiserver import metadata
from conformance.sim.apiserver.catalog import Served
from conformance.sim.apiserver.decode import Mistyped, Reading
from conformance.sim.apiserver.errors import Cause, UnreadableError, bad_request, conflict, invalid, unprocessable
from conformance.sim.apiserver.objects import Object, look, name_of, with_field_of
from conformance.sim.apiserver.records import Record

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
