"""Versions of objects, and the changes between them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from conformance.sim.apiserver.objects import Object, name_of, namespace_of

EventType = Literal["ADDED", "MODIFIED", "DELETED"]
Key = tuple[str, str]
"""Namespace (empty in the cluster scope) and name."""
ResourceKey = tuple[str, str]
"""Group and plural name of a resource."""


def encoded(value: object) -> bytes:
    """Return `value` as compact JSON."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


@dataclass(frozen=True)
class Record:
    """One version of one object; encoded at most once, however many clients read it.

    Attributes:
        data: The object, its `metadata.resourceVersion` included.
        revision: Revision of the change that made this version.
    """

    data: Object
    revision: int

    @cached_property
    def json(self) -> bytes:
        """The object as JSON."""
        return encoded(self.data)

    @property
    def key(self) -> Key:
        """Where the object stands in its collection."""
        return namespace_of(self.data), name_of(self.data)


@dataclass(frozen=True)
class Event:
    """One change of one object.

    Attributes:
        type: What happened.
        record: The object after the change; for DELETED its last state under the revision of the deletion.
        previous: The object before the change; None for ADDED.
    """

    type: EventType
    record: Record
    previous: Record | None

    @property
    def revision(self) -> int:
        """Revision of the change."""
        return self.record.revision
