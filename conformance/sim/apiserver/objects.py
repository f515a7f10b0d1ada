"""How the server treats a Kubernetes object: as JSON data that is never changed in place.

Every change builds new dictionaries along the path to the changed field and shares all others. Two versions of an
object can therefore be compared cheaply: what is the same Python object is the same value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]
"""One API object, or a part of it, as decoded from JSON."""


def look(value: Any, *path: str, default: Any = None) -> Any:
    """Return the field at `path`, or `default` where it, or a dictionary on the way to it, is absent or null."""
    for name in path:
        if not isinstance(value, Mapping):
            return default
        value = value.get(name)
    return default if value is None else value


def replaced(value: Object, new: Any, *path: str) -> Object:
    """Return `value` with the field at `path` set to `new`; absent dictionaries on the way are made."""
    name, *rest = path
    below = replaced(value.get(name) or {}, new, *rest) if rest else new
    return {**value, name: below}


def without(value: Object, *path: str) -> Object:
    """Return `value` without the field at `path`; `value` itself where that field is absent."""
    name, *rest = path
    if name not in value:
        return value
    if not rest:
        return {key: item for key, item in value.items() if key != name}
    below = value[name]
    shorter = without(below, *rest) if isinstance(below, dict) else below
    return value if shorter is below else {**value, name: shorter}


def with_field_of(value: Object, source: Object, *path: str) -> Object:
    """Return `value` with the field at `path` as `source` has it, absent if absent there."""
    field = look(source, *path)
    return without(value, *path) if field is None else replaced(value, field, *path)


def name_of(value: Object) -> str:
    """Return `metadata.name`, empty where it is absent."""
    return str(look(value, "metadata", "name", default=""))


def namespace_of(value: Object) -> str:
    """Return `metadata.namespace`, empty for objects of the cluster scope."""
    return str(look(value, "metadata", "namespace", default=""))
