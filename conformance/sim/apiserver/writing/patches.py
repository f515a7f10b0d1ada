"""Patches: RFC 6902 JSON patch, RFC 7396 merge patch and the strategic merge patch of Kubernetes.

A patch never changes the object that it is applied to, and what it does not touch stays the same Python object.
A strategic merge patch is a merge patch that knows which lists are merged, and by which field. Its directives:
`$patch` (delete, replace, merge), `$deleteFromPrimitiveList/NAME`, `$setElementOrder/NAME` and `$retainKeys`. Source:
k8s.io/apimachinery pkg/util/strategicpatch v0.36.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import jsonpatch
import jsonpointer

from conformance.sim.apiserver.errors import ApiError, bad_request
from conformance.sim.apiserver.objects import Object
from conformance.sim.apiserver.resources.schema import ANY, Schema

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"
APPLY_PATCH = "application/apply-patch+yaml"
PATCH_TYPES = (JSON_PATCH, MERGE_PATCH, STRATEGIC_PATCH, APPLY_PATCH)


def merge(value: Any, patch: Any) -> Any:
    """Return `value` under an RFC 7396 merge patch: dictionaries merge, null deletes, all else replaces."""
    if not isinstance(patch, dict):
        return patch
    result = dict(value) if isinstance(value, dict) else {}
    for name, item in patch.items():
        if item is None:
            result.pop(name, None)
        else:
            result[name] = merge(result.get(name), item)
    return result


def apply_operations(value: Object, operations: Any) -> Object:
    """Return `value` under an RFC 6902 JSON patch.

    Raises:
        ApiError: 400 where the patch is malformed, 422 where it does not fit the object or a `test` fails.
    """
    if not isinstance(operations, list):
        raise bad_request("json: cannot unmarshal object into Go value of type jsonpatch.Patch")
    try:
        result = jsonpatch.JsonPatch(operations).apply(value)
    except (jsonpatch.JsonPatchConflict, jsonpatch.JsonPatchTestFailed, jsonpointer.JsonPointerException) as refusal:
        message = "the server rejected our request due to an error in our request"
        raise ApiError(HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", message) from refusal
    except (jsonpatch.InvalidJsonPatch, TypeError, KeyError) as refusal:
        raise bad_request(f"error decoding patch: {refusal}") from refusal
    if not isinstance(result, dict):
        raise bad_request("the patch does not leave an object")
    patched: Object = shared(value, result)
    return patched


def shared(old: Any, new: Any, depth: int = 2) -> Any:
    """Return `new` with every part that equals its counterpart in `old` replaced by that part, `depth` levels down."""
    if old == new:
        return old
    if depth and isinstance(old, dict) and isinstance(new, dict):
        return {name: shared(old.get(name), item, depth - 1) for name, item in new.items()}
    return new


_DIRECTIVE = "$patch"
_RETAIN = "$retainKeys"
_ORDER = "$setElementOrder/"
_DELETE_VALUES = "$deleteFromPrimitiveList/"


def strategic(value: Any, patch: Object, schema: Schema) -> Object:
    """Return the dictionary `value` under `patch`.

    Args:
        value: The stored value; anything but a dictionary counts as empty.
        patch: The patch for it.
        schema: Its shape, which says how lists are merged.

    Raises:
        ApiError: 400 for an unknown directive or a list element without its merge key.
    """
    directive = patch.get(_DIRECTIVE)
    if directive == "replace":
        return {name: item for name, item in patch.items() if name != _DIRECTIVE}
    if directive == "delete":
        return {}
    if directive not in (None, "merge"):
        raise bad_request(f"Unknown patch type found: {directive}")
    result = dict(value) if isinstance(value, dict) else {}
    if _RETAIN in patch:
        result = {name: item for name, item in result.items() if name in patch[_RETAIN]}
    for name, item in patch.items():
        if name.startswith(_DELETE_VALUES):
            field = name.removeprefix(_DELETE_VALUES)
            result[field] = [kept for kept in result.get(field) or [] if kept not in item]
        elif name.startswith("$"):
            continue
        elif item is None:
            result.pop(name, None)
        else:
            order = patch.get(_ORDER + name)
            result[name] = _merged(result.get(name), item, schema.below(name), order)
    return result


def _merged(value: Any, patch: Any, schema: Schema, order: list[Any] | None) -> Any:
    if isinstance(patch, dict):
        return strategic(value, patch, schema)
    if not isinstance(patch, list):
        return patch
    if schema.merge_values:
        known = value or []
        return _in_order(dict.fromkeys([*known, *patch]), order or patch, known)
    if schema.merge_key:
        return _merged_elements(value or [], patch, schema.merge_key, schema.items or ANY, order)
    return patch


def _merged_elements(value: list[Object], patch: list[Object], key: str, schema: Schema, order: Any) -> list[Object]:
    """Return a list whose elements are told apart by `key` under the patches of single elements."""
    if any(item == {_DIRECTIVE: "replace"} for item in patch):
        return [item for item in patch if _DIRECTIVE not in item]
    result = {item.get(key): item for item in value}
    for item in patch:
        if key not in item:
            raise bad_request(f"map: {item} does not contain declared merge key: {key}")
        if item.get(_DIRECTIVE) == "delete":
            result.pop(item[key], None)
        else:
            result[item[key]] = strategic(result.get(item[key]), item, schema)
    before = [item.get(key) for item in value]
    if order:
        # New elements take the places that deleted ones leave at the end of the server's order (k8s.io/apimachinery
        # changes the list that it takes that order from).
        kept = [found for found in before if found in result]
        before = [*kept, *(found for found in result if found not in before)][: len(before)]
    wanted = [item[key] for item in order or patch]
    return [result[found] for found in _in_order(result, wanted, before)]


def _in_order(merged: Mapping[Any, Any], wanted: Sequence[Any], before: Sequence[Any]) -> list[Any]:
    """Return the keys of `merged`: those of the patch as it has them, the others as and where they were before.

    A key of the patch comes first unless the other one stood before it already: new elements go to the front.
    """
    ranked = {key: rank for rank, key in enumerate(before)}
    patched = deque(key for key in wanted if key in merged)
    others = deque(key for key in before if key in merged and key not in wanted)
    result = []
    while patched and others:
        other_first = patched[0] in ranked and ranked[others[0]] < ranked[patched[0]]
        result.append((others if other_first else patched).popleft())
    return [*result, *patched, *others]
