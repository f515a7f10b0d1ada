"""Patches: RFC 7396 merge patch, RFC 6902 JSON patch and which of the formats a request is in.

A patch never changes the object that it is applied to, and what it does not touch stays the same Python object.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import jsonpatch
import jsonpointer

from conformance.sim.apiserver.errors import ApiError, bad_request
from conformance.sim.apiserver.objects import Object

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
