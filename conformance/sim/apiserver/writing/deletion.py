"""Deleting objects: preconditions, grace, finalizers and what is to become of dependents.

Source: k8s.io/apiserver pkg/registry/generic/registry/store.go and pkg/registry/rest/delete.go v0.36.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from conformance.sim.apiserver.errors import conflict
from conformance.sim.apiserver.objects import Object, Record, look, name_of, replaced, without
from conformance.sim.apiserver.resources import metadata
from conformance.sim.apiserver.resources.catalog import Served
from conformance.sim.apiserver.writing.registry import Registry, is_ended

ORPHAN_FINALIZER = "orphan"
FOREGROUND_FINALIZER = "foregroundDeletion"
_FINALIZER_OF_POLICY = {"Orphan": ORPHAN_FINALIZER, "Foreground": FOREGROUND_FINALIZER}


@dataclass(frozen=True)
class DeleteOptions:
    """What a deletion asks for.

    Attributes:
        grace_seconds: How long the object may take to end; None for its own default.
        policy: `Background`, `Foreground` or `Orphan`; empty for the default, which is `Background`.
        uid: The only object that may be deleted; empty for any.
        revision: The only version that may be deleted; empty for any.
        dry_run: Whether to leave the object alone.
    """

    grace_seconds: int | None = None
    policy: str = ""
    uid: str = ""
    revision: str = ""
    dry_run: bool = False


@dataclass(frozen=True)
class Deleted:
    """The result of a deletion.

    Attributes:
        record: The object as it was when it went, or as it waits for its end.
        gone: Whether it is no longer there.
    """

    record: Record
    gone: bool


def delete(registry: Registry, served: Served, record: Record, options: DeleteOptions) -> Deleted:
    """Delete an object, or mark it for deletion where a finalizer or a grace keeps it.

    Raises:
        ApiError: 409 where the object is not the one that the preconditions name.
    """
    _check_preconditions(served, record, options)
    grace = served.kind.grace(record.data, options.grace_seconds) if served.kind.grace else 0
    obj = metadata.with_finalizers(record.data, _finalizers(record.data, options.policy))
    meta = obj["metadata"]
    if "deletionTimestamp" in meta and grace >= meta.get("deletionGracePeriodSeconds", 0) and obj == record.data:
        return Deleted(record, gone=False)
    marked = metadata.marked_for_deletion(obj, grace, registry.now() + timedelta(seconds=grace))
    is_namespace = served.resource.key == ("", "namespaces")
    gone = is_ended(marked) and not is_namespace
    if options.dry_run:
        return Deleted(record, gone)
    collection = registry.collection(served)
    if gone:
        return Deleted(collection.remove(record.key, marked if served.kind.grace else None), gone=True)
    if is_namespace:
        marked = replaced(without(marked, "metadata", "deletionGracePeriodSeconds"), "Terminating", "status", "phase")
    return Deleted(collection.put(marked), gone=False)


def _finalizers(obj: Object, policy: str) -> list[str]:
    """Return the object's finalizers with the one under which the garbage collector does what `policy` asks for."""
    found: list[str] = look(obj, "metadata", "finalizers", default=[])
    if not policy:
        return found
    kept = [name for name in found if name not in _FINALIZER_OF_POLICY.values()]
    return [*kept, _FINALIZER_OF_POLICY[policy]] if policy in _FINALIZER_OF_POLICY else kept


def _check_preconditions(served: Served, record: Record, options: DeleteOptions) -> None:
    found = {"UID": look(record.data, "metadata", "uid"), "ResourceVersion": str(record.revision)}
    for name, wanted in (("UID", options.uid), ("ResourceVersion", options.revision)):
        if wanted and wanted != found[name]:
            why = f"Precondition failed: {name} in precondition: {wanted}, {name} in object meta: {found[name]}"
            raise conflict(served.resource.plural, name_of(record.data), why, served.resource.group)
