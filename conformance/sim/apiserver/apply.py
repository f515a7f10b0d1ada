"""Server-side apply: who owns which fields, and the merge that follows from it.

Ownership is kept from the first apply of an object on; before it, updates leave no trace in `managedFields`, which a
real server fills from the creation on. Lists are merged by the field that a strategic patch merges them by.

Source: sigs.k8s.io/structured-merge-diff v6 and the Kubernetes page "Server-Side Apply".
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from http import HTTPStatus
from typing import Any

from conformance.sim.apiserver.catalog import Served
from conformance.sim.apiserver.checks import WriteOptions
from conformance.sim.apiserver.errors import ApiError, bad_request
from conformance.sim.apiserver.fields import FieldSet, fields_of, from_tree, removed, to_tree, value_at
from conformance.sim.apiserver.objects import Object, look, replaced, without
from conformance.sim.apiserver.schema import Schema
from conformance.sim.apiserver.strategic import strategic
from conformance.sim.apiserver.times import seconds_text

_IDENTITY = (("f:apiVersion",), ("f:kind",))
_SERVER_OWNED = frozenset({
    "name", "namespace", "uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink",
    "deletionTimestamp", "deletionGracePeriodSeconds", "generateName",
})  # fmt: skip
Owner = tuple[str, str]
"""Name of a field manager and its operation, `Apply` or `Update`."""


def applied(old: Object | None, patch: Any, served: Served, options: WriteOptions, now: datetime) -> Object:
    """Return the object after `patch` was applied to `old` by the manager in `options`.

    Args:
        old: The stored object; None where there is none yet.
        patch: What the manager wants: all fields that it cares for.
        served: The resource.
        options: Who applies, and whether it takes fields from others.
        now: Time for the ownership that is written down.

    Raises:
        ApiError: 400 where the patch is no object, 409 where it would change fields of others without `force`.
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


def tracked(old: Object, new: Object, schema: Schema, manager: str, now: datetime) -> Object:
    """Return `new` with the fields that an update changed given to `manager`, where ownership is kept at all."""
    if not look(old, "metadata", "managedFields") or not look(new, "metadata", "managedFields"):
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
    """Return who owns which fields; an object that was never applied belongs to one manager of all its fields."""
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
    """Return `obj` with `managedFields`; an entry that has not changed keeps its time."""
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
            entries.append({**head, "time": seconds_text(now), "fieldsType": "FieldsV1", "fieldsV1": tree})
    return replaced(without(obj, "metadata", "managedFields"), entries, "metadata", "managedFields")
