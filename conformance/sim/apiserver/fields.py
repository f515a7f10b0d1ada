"""Sets of fields, in the notation of `managedFields`: `f:NAME`, `k:{KEY}` for an element, `v:VALUE` for a value."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from conformance.sim.apiserver.objects import Object
from conformance.sim.apiserver.schema import Schema

FieldPath = tuple[str, ...]
FieldSet = frozenset[FieldPath]


def fields_of(value: Object, schema: Schema) -> FieldSet:
    """Return the paths of all values in an object that can have an owner of their own; an empty map has none."""
    return frozenset(_paths(value, schema, ()))


def _paths(value: Any, schema: Schema, above: FieldPath) -> Iterator[FieldPath]:
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _paths(item, schema.below(name), (*above, f"f:{name}"))
    elif isinstance(value, list) and schema.merge_key:
        for item in value:
            step = "k:" + json.dumps({schema.merge_key: item.get(schema.merge_key)}, separators=(",", ":"))
            yield from _paths(item, schema.below(""), (*above, step))
    elif isinstance(value, list) and schema.merge_values:
        yield from ((*above, f"v:{json.dumps(item)}") for item in value)
    elif above:
        yield above


def to_tree(paths: FieldSet) -> Object:
    """Return the set as a `FieldsV1` object."""
    tree: Object = {}
    for path in sorted(paths):
        branch = tree
        for step in path:
            branch = branch.setdefault(step, {})
    return tree


def from_tree(tree: Mapping[str, Any]) -> FieldSet:
    """Return the set that a `FieldsV1` object stands for."""

    def walk(branch: Mapping[str, Any], above: FieldPath) -> Iterator[FieldPath]:
        for step, below in branch.items():
            if below:
                yield from walk(below, (*above, step))
            else:
                yield above if step == "." else (*above, step)

    return frozenset(walk(tree, ()))


def value_at(value: Any, path: FieldPath) -> Any:
    """Return the value at a path, None where there is none."""
    for step in path:
        value = _step(value, step)
        if value is None:
            return None
    return value


def _step(value: Any, step: str) -> Any:
    if step.startswith("f:"):
        return value.get(step[2:]) if isinstance(value, dict) else None
    if not isinstance(value, list):
        return None
    if step.startswith("v:"):
        wanted = json.loads(step[2:])
        return wanted if wanted in value else None
    return next((item for item in value if _has_key(item, step)), None)


def _has_key(item: Any, step: str) -> bool:
    return isinstance(item, dict) and all(item.get(key) == want for key, want in json.loads(step[2:]).items())


def removed(value: Any, paths: FieldSet) -> Any:
    """Return `value` without the values at `paths`; containers that this empties go too."""
    if not paths:
        return value
    below: dict[str, set[FieldPath]] = {}
    for step, *rest in paths:
        below.setdefault(step, set()).add(tuple(rest))
    if isinstance(value, dict):
        return _removed_from_dict(value, below)
    if isinstance(value, list):
        return _removed_from_list(value, below)
    return value


def _removed_from_dict(value: Object, below: Mapping[str, set[FieldPath]]) -> Object:
    result = {}
    for name, item in value.items():
        rests = below.get(f"f:{name}")
        if rests is None:
            result[name] = item
        elif () not in rests:
            shorter = removed(item, frozenset(rests))
            if shorter or not item:
                result[name] = shorter
    return result


def _removed_from_list(value: list[Any], below: Mapping[str, set[FieldPath]]) -> list[Any]:
    result = []
    for item in value:
        step = next((step for step in below if _is_element(item, step)), None)
        if step is None:
            result.append(item)
        elif step.startswith("k:") and () not in below[step]:
            shorter = removed(item, frozenset(below[step]))
            if shorter:
                result.append(shorter)
    return result


def _is_element(item: Any, step: str) -> bool:
    return _has_key(item, step) if step.startswith("k:") else json.loads(step[2:]) == item
