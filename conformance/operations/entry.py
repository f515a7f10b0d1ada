"""One entry of the journal: what a run found in one object, and what it wrote there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Final

from conformance.cluster.transport import FIELD_MANAGER
from conformance.cluster.views import Raw
from conformance.operations.fields import Field, Value, depth, look_up, product_writes, turned_into, writers
from conformance.spec.names import DEPLOY_PREFIX, MIG_CONFIG

_API_PATHS: Final = ("/api/v1/", "/apis/")
"""How the paths of objects begin."""
_MANAGER: Final = frozenset({"mig-manager", "mig-parted", "nvidia-mig-manager"})
"""Field managers of mig-manager: its script names itself, and a Go program is called like its file."""


@dataclass(frozen=True)
class Change:
    """What the suite changed in one field.

    Attributes:
        original: Value before the first change; None if the field was absent.
        written: The value that the suite wrote last, after the one it wrote before that. Both count as its own, since
            a run may be killed between the entry and the write. Not empty.
        existed: How many keys of the field existed before, from the root of the object down.
    """

    original: Value
    written: tuple[Value, ...]
    existed: int

    def owns(self, field: Field, raw: Raw | None) -> bool:
        """Whether the field of an object has a value of the suite, or what the product made of such a value.

        Where the server records who wrote a field, a value of the suite that somebody else wrote too, or applied, is
        not the suite's. mig-manager is nobody else: it writes deploy labels again as it read them before it began.
        """
        now = look_up(raw, field.keys)
        if any(now == value for value in self.written):
            product = _MANAGER if product_writes(field.label) else frozenset()
            return not set(writers(raw, field)) - {FIELD_MANAGER} - product
        return any(now == one for value in (self.original, *self.written) for one in turned_into(field, value))


@dataclass(frozen=True)
class Found:
    """An object before the first change: what must be there again once it is restored.

    Attributes:
        labels: All `nvidia.com/` labels of a node. The operator and its operands write most of them, so these must
            return by themselves.
        taints: Taints of a node as `key=value:effect`, without that of a cordon.
        advertised: Allocatable resources of a node above 0; they show whether the configuration was really applied.
        ready: For a node, the operands (values of the label `app`) that had a Ready pod; for the ClusterPolicy, the
            DaemonSets of the operator that were rolled out on all nodes.
        strategy: Strategy of the ClusterPolicy at that time; None if the field was absent. Labels depend on it.
    """

    labels: Mapping[str, str]
    taints: tuple[str, ...]
    advertised: Mapping[str, int]
    ready: tuple[str, ...]
    strategy: str | None


@dataclass(frozen=True)
class Entry:
    """What one run found and changed in one object.

    Attributes:
        run: Id of the run.
        holder: Who started it, such as `alice@host, process 12, run 7f3a`.
        begun: When the run began to change the cluster, ISO 8601 in UTC.
        object: Path of the object on the API server.
        uid: UID of the object; empty for an object that the suite creates.
        found: What was found there; None for an object that is neither a node nor the ClusterPolicy.
        changes: Changed fields. A field without keys is the object as a whole, which the suite created.
        standing: What people had written on a Node object that the suite deleted, see
            `conformance.operations.rejoining`; None for an object that it did not delete.
        deleted: Whether the suite deleted the object and has not yet put `standing` on the one that was registered
            again. Until then `uid` is that of the object that is gone.
    """

    run: str
    holder: str
    begun: str
    object: str
    uid: str
    found: Found | None = None
    changes: Mapping[Field, Change] = field(default_factory=dict)
    standing: Mapping[str, Any] | None = None
    deleted: bool = False

    def intending(self, raw: Raw | None, values: Mapping[Field, Value]) -> Entry:
        """Return the entry with values that are about to be written; None for `raw` if the object does not exist."""
        changes = dict(self.changes)
        for one, value in values.items():
            known = changes.get(one)
            if known is None:
                changes[one] = Change(self._original(one, look_up(raw, one.keys)), (value,), depth(raw, one.keys))
            elif known.written[-1] != value:
                changes[one] = replace(known, written=(known.written[-1], value))
        return replace(self, changes=changes)

    def _original(self, one: Field, now: Value) -> Value:
        """Return the value to put back: what mig-manager made of a deploy label for this run was not there before."""
        if self.found is None or not one.label.startswith(DEPLOY_PREFIX):
            return now
        was = self.found.labels.get(one.label)
        asked = any(known.label == MIG_CONFIG for known in self.changes)
        return was if asked and now in turned_into(one, was) else now

    def settled(self, values: Mapping[Field, Value]) -> Entry:
        """Return the entry after the values were written: older ones are not the suite's any more."""
        kept = {one: replace(change, written=change.written[-1:]) for one, change in self.changes.items()}
        return replace(self, changes={**self.changes, **{one: kept[one] for one in values if one in kept}})

    def as_dict(self) -> dict[str, Any]:
        """Return the entry as JSON data."""
        found = self.found
        return {
            "run": self.run,
            "holder": self.holder,
            "begun": self.begun,
            "object": self.object,
            "uid": self.uid,
            "found": found and asdict(found),
            "changes": [
                {
                    "field": list(one.keys),
                    "original": change.original,
                    "written": list(change.written),
                    "existed": change.existed,
                }
                for one, change in self.changes.items()
            ],
            "standing": self.standing,
            "deleted": self.deleted,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Entry:
        """Read an entry from JSON data.

        Raises:
            KeyError, TypeError, AttributeError: The data is not an entry, or has something that this version of the
                suite does not know and could not put back.
        """
        found = data["found"]
        changed = {key for one in data["changes"] for key in one}
        if unknown := data.keys() - _KEYS | (found or {}).keys() - _FOUND | changed - _CHANGED:
            raise TypeError(f"unknown: {', '.join(sorted(unknown))}")
        entry = cls(
            **{name: str(data[name]) for name in ("run", "holder", "begun", "object", "uid")},
            found=found
            and Found(
                labels=dict(found["labels"]),
                taints=tuple(found["taints"]),
                advertised=dict(found["advertised"]),
                ready=tuple(found["ready"]),
                strategy=found["strategy"],
            ),
            changes={
                Field(data["object"], tuple(one["field"])): Change(
                    one["original"], tuple(one["written"]), one["existed"]
                )
                for one in data["changes"]
            },
            standing=data.get("standing"),
            deleted=bool(data.get("deleted")),
        )
        if not entry.object.startswith(_API_PATHS) or set(entry.object) & set(" ?#%"):
            raise TypeError(f"{entry.object} is no path of an object")
        as_written = json.loads(json.dumps(entry.as_dict())) == {"standing": None, "deleted": False, **data}
        if not as_written or not all(map(_is_sound, entry.changes.items())):
            raise TypeError("something in it has another type than the suite writes")
        return entry


def _is_sound(change: tuple[Field, Change]) -> bool:
    """Return whether a change has the types that the suite writes; the rest of an entry is compared as a whole."""
    field, values = change
    return bool(values.written) and isinstance(values.existed, int) and all(isinstance(key, str) for key in field.keys)


_KEYS: Final = frozenset(one.name for one in fields(Entry))
_CHANGED: Final = frozenset({"field", *(one.name for one in fields(Change))})
_FOUND: Final = frozenset(one.name for one in fields(Found))
