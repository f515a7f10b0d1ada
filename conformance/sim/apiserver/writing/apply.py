"""Server-side apply: field ownership, and the merge that follows from it.

Unlike a real server, which tracks ownership of every object from its creation, this one does so for nodes and
ClusterPolicies alone, but for changes of their status: of these, clients want to know who changed them. For others it
begins with the first apply; updates before that leave no `managedFields`. Lists are merged by the merge key of
strategic merge patches.

Field sets use the notation of `managedFields`: `f:NAME` for a field, `k:{KEY}` for a list element, `v:VALUE` for a
value in a set.

Source: sigs.k8s.io/structured-merge-diff v6 and the Kubernetes page "Server-Side Apply".
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from conformance.sim.apiserver.errors import ApiError, bad_request
from conformance.sim.apiserver.objects import Object, look, replaced, without
from conformance.sim.apiserver.resources.catalog import Served
from conformance.sim.apiserver.resources.schema import Schema
from conformance.sim.apiserver.writing.patches import strategic
from conformance.sim.apiserver.writing.registry import WriteOptions
from conformance.spec.times import api_time

FieldPath = tuple[str, ...]
FieldSet = frozenset[FieldPath]
_IDENTITY = (("f:apiVersion",), ("f:kind",))
_SERVER_OWNED = frozenset({
    "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink",
    "deletionTimestamp", "deletionGracePeriodSeconds", "generateName",
})  # fmt: skip
_TRACKED = frozenset({"clusterpolicies", "daemonsets", "nodes"})
Owner = tuple[str, str]
"""Name of a field manager and its operation, `Apply` or `Update`."""


def fields_of(value: Object, schema: Schema) -> FieldSet:
    """Return the paths of all values in an object that can have an owner; an empty map has none."""
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
    """Return a field set as a `FieldsV1` object."""
    tree: Object = {}
    for path in sorted(paths):
        branch = tree
        for step in path:
            branch = branch.setdefault(step, {})
    return tree


def from_tree(tree: Mapping[str, Any]) -> FieldSet:
    """Return the field set of a `FieldsV1` object."""

    def walk(branch: Mapping[str, Any], above: FieldPath) -> Iterator[FieldPath]:
        for step, below in branch.items():
            if below:
                yield from walk(below, (*above, step))
            else:
                yield above if step == "." else (*above, step)

    return frozenset(walk(tree, ()))


def value_at(value: Any, path: FieldPath) -> Any:
    """Return the value at a path; None if there is none."""
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
    """Return `value` without the values at `paths`; containers that become empty are removed as well."""
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


def applied(old: Object | None, patch: Any, served: Served, options: WriteOptions, now: datetime) -> Object:
    """Return `old` with `patch` applied by the field manager in `options`.

    Args:
        old: The stored object; None if there is none yet.
        patch: All fields that the manager wants to own, with their values.
        served: The resource.
        options: The field manager, and whether it takes fields from others.
        now: Time to record in `managedFields`.

    Raises:
        ApiError: 400 if the patch is not an object, 409 if it changes fields of other managers without `force`.
    """
    if not isinstance(patch, dict) or look(patch, "metadata", "managedFields"):
        raise bad_request("an apply patch must be an object without metadata.managedFields")
    owner, wanted = (options.field_manager, "Apply"), _owned(patch, served.schema)
    before: Object = old or {}
    owners = _owners(before, served.schema)
    conflicts = _conflicts(before, patch, wanted, owners, owner)
    if conflicts and not options.force:
        raise _conflict(conflicts)
    for other, lost in conflicts.items():
        owners[other] -= lost
    dropped = owners.get(owner, frozenset()) - wanted
    kept_by_others = frozenset().union(*(paths for other, paths in owners.items() if other != owner))
    result = strategic(removed(before, dropped - kept_by_others), patch, served.schema)
    owners[owner] = wanted
    return _with_owners(result, owners, before, served.resource.api_version, now)


def tracked(old: Object, new: Object, served: Served, subresource: str, manager: str, now: datetime) -> Object:
    """Return `new` with the fields that a write changed assigned to `manager`, if ownership is tracked.

    `old` is empty for an object that is being created. A client that sends no owners, as in a replacement, keeps those
    that are known. Source: kubernetes v1.36, apimachinery, pkg/util/managedfields/internal/fieldmanager.go (Update).
    """
    schema, known = served.schema, look(old, "metadata", "managedFields")
    told, always = bool(look(new, "metadata", "managedFields")), served.resource.plural in _TRACKED
    if known and not told:
        new = {**new, "metadata": {**new["metadata"], "managedFields": known}}
    if (told and not known) or not (known or always) or (always and subresource):
        return new
    paths = _owned(new, schema)
    changed = frozenset(path for path in paths if value_at(old, path) != value_at(new, path))
    gone = _owned(old, schema) - paths
    if not changed and not gone:
        return new
    owners = {other: held - changed - gone for other, held in _owners(old, schema).items()}
    owner = (manager, "Update")
    owners[owner] = owners.get(owner, frozenset()) | changed
    return _with_owners(new, owners, old, str(new.get("apiVersion", "v1")), now)


def _owned(obj: Object, schema: Schema) -> FieldSet:
    """Return the fields of an object that can be owned."""
    metadata = {name: value for name, value in (obj.get("metadata") or {}).items() if name not in _SERVER_OWNED}
    return fields_of({**obj, "metadata": metadata}, schema) - frozenset(_IDENTITY)


def _owners(obj: Object, schema: Schema) -> dict[Owner, FieldSet]:
    """Return the fields of each owner; one placeholder owns all fields of an object that was never applied."""
    entries = look(obj, "metadata", "managedFields")
    if entries is None:
        return {("before-first-apply", "Update"): _owned(obj, schema)} if obj else {}
    return {(entry["manager"], entry["operation"]): from_tree(entry["fieldsV1"]) for entry in entries}


def _conflicts(
    before: Object, patch: Object, wanted: FieldSet, owners: Mapping[Owner, FieldSet], owner: Owner
) -> dict[Owner, FieldSet]:
    found = {}
    for other, held in owners.items():
        differing = frozenset(path for path in held & wanted if value_at(before, path) != value_at(patch, path))
        if other != owner and differing:
            found[other] = differing
    return found


def _conflict(conflicts: Mapping[Owner, FieldSet]) -> ApiError:
    listed = [(owner, path) for (owner, _), paths in sorted(conflicts.items()) for path in sorted(paths)]
    causes = [
        {"reason": "FieldManagerConflict", "message": f'conflict with "{owner}"', "field": _readable(path)}
        for owner, path in listed
    ]
    shown = "; ".join(f"{cause['message']}: {cause['field']}" for cause in causes)
    message = f"Apply failed with {len(causes)} conflict{'s' if len(causes) > 1 else ''}: {shown}"
    return ApiError(HTTPStatus.CONFLICT, "Conflict", message, causes=causes)


def _readable(path: tuple[str, ...]) -> str:
    steps = (f".{step[2:]}" if step.startswith("f:") else f"[{step[2:]}]" for step in path)
    return "".join(steps)


def _with_owners(
    obj: Object, owners: Mapping[Owner, FieldSet], before: Object, api_version: str, now: datetime
) -> Object:
    """Return `obj` with `managedFields`; unchanged entries keep their time."""
    known = {
        (entry["manager"], entry["operation"]): entry for entry in look(before, "metadata", "managedFields", default=[])
    }
    entries = []
    for (manager, operation), paths in owners.items():
        tree, old = to_tree(paths), known.get((manager, operation))
        if old and old["fieldsV1"] == tree:
            entries.append(old)
        elif paths:
            head = {"manager": manager, "operation": operation, "apiVersion": api_version}
            entries.append({**head, "time": api_time(now), "fieldsType": "FieldsV1", "fieldsV1": tree})
    return replaced(without(obj, "metadata", "managedFields"), entries, "metadata", "managedFields")
