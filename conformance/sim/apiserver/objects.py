"""API objects as JSON data, and the records and events that the store makes of them.

Objects are never changed in place: every change builds new dictionaries along the path to the changed field and shares
all others. Two versions of an object can therefore be compared cheaply, since shared parts are identical.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final, Literal

import orjson

Object = dict[str, Any]
"""One API object, or a part of it, as decoded from JSON."""
Matcher = Callable[[Object], bool]
"""A predicate on objects, such as a selector."""
EventType = Literal["ADDED", "MODIFIED", "DELETED"]
Key = tuple[str, str]
"""Namespace (empty in the cluster scope) and name."""
ResourceKey = tuple[str, str]
"""Group and plural name of a resource."""
_ENCODED_RECORDS: Final = 512
"""Number of records whose JSON is kept; more would only cost memory, since clients read a record when it is new."""


def look(value: Any, *path: str, default: Any = None) -> Any:
    """Return the field at `path`, or `default` if it, or a dictionary on the way to it, is absent or null."""
    for name in path:
        if not isinstance(value, dict):
            return default
        value = value.get(name)
    return default if value is None else value


def replaced(value: Object, new: Any, *path: str) -> Object:
    """Return `value` with the field at `path` set to `new`; missing dictionaries on the way are created."""
    name, *rest = path
    below = replaced(value.get(name) or {}, new, *rest) if rest else new
    return {**value, name: below}


def without(value: Object, *path: str) -> Object:
    """Return `value` without the field at `path`; `value` itself if that field is absent."""
    name, *rest = path
    if name not in value:
        return value
    if not rest:
        return {key: item for key, item in value.items() if key != name}
    below = value[name]
    shorter = without(below, *rest) if isinstance(below, dict) else below
    return value if shorter is below else {**value, name: shorter}


def with_field_of(value: Object, source: Object, *path: str) -> Object:
    """Return `value` with the field at `path` copied from `source`, or without it if `source` does not have it."""
    field = look(source, *path)
    return without(value, *path) if field is None else replaced(value, field, *path)


def name_of(value: Object) -> str:
    """Return `metadata.name`, empty if it is absent."""
    return str(look(value, "metadata", "name", default=""))


def namespace_of(value: Object) -> str:
    """Return `metadata.namespace`, empty for objects of the cluster scope."""
    return str(look(value, "metadata", "namespace", default=""))


def encoded(value: object) -> bytes:
    """Return `value` as compact JSON."""
    return orjson.dumps(value)


@dataclass(frozen=True, eq=False)
class Record:
    """One version of one object; a new one is encoded once, however many clients watch it.

    Attributes:
        data: The object, its `metadata.resourceVersion` included.
        revision: Revision of the change that made this version.
    """

    data: Object
    revision: int

    @property
    def json(self) -> bytes:
        """The object as JSON."""
        return _encoded_record(self)

    @property
    def key(self) -> Key:
        """Key of the object in its collection."""
        return namespace_of(self.data), name_of(self.data)


@lru_cache(maxsize=_ENCODED_RECORDS)
def _encoded_record(record: Record) -> bytes:
    return encoded(record.data)


@dataclass(frozen=True)
class Event:
    """One change of one object.

    Attributes:
        type: What happened.
        record: The object after the change; for DELETED, its last state with the revision of the deletion.
        previous: The object before the change; None for ADDED.
    """

    type: EventType
    record: Record
    previous: Record | None

    @property
    def revision(self) -> int:
        """Revision of the change."""
        return self.record.revision
