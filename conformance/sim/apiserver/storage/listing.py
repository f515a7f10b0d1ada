"""Lists: which revision, which objects, and in pages of which size."""

from __future__ import annotations

import base64
import binascii
import json
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from conformance.sim.apiserver.errors import ApiError, bad_request, forbidden_field, too_large_revision, unprocessable
from conformance.sim.apiserver.objects import Key, Matcher, Object, Record
from conformance.sim.apiserver.storage.store import Collection


@dataclass(frozen=True)
class Query:
    """What a list or a watch selects.

    Attributes:
        namespace: Namespace; None for all.
        matches: Predicate of the label and field selectors.
        selective: Whether there is a selector at all.
        revision: `resourceVersion` of the request; empty if it has none.
        match: `resourceVersionMatch` of the request; empty if it has none.
        limit: Largest number of objects in one page; 0 for no limit.
        token: `continue` token of the previous page; empty for the first page.
    """

    namespace: str | None
    matches: Matcher
    selective: bool = False
    revision: str = ""
    match: str = ""
    limit: int = 0
    token: str = ""

    def takes(self, obj: Object) -> bool:
        """Return whether the query selects this object."""
        return (self.namespace is None or obj["metadata"].get("namespace", "") == self.namespace) and self.matches(obj)


@dataclass(frozen=True)
class Page:
    """One page of a list.

    Attributes:
        records: The objects.
        metadata: The list's own metadata.
    """

    records: list[Record]
    metadata: Mapping[str, Any]


def revision_number(text: str) -> int:
    """Return a `resourceVersion` as a number, 0 for an empty one; raises ApiError (400) if it is not a number."""
    if text and not text.isdigit():
        raise bad_request(f"Invalid value: {text!r}: strconv.ParseUint: parsing: invalid syntax")
    return int(text or 0)


def forbidden_option(name: str, detail: str) -> ApiError:
    """Return the error (422) for an option of a list or a watch that conflicts with the others."""
    return unprocessable("ListOptions", "", [forbidden_field(name, detail)], "meta.k8s.io")


def list_page(collection: Collection, current: int, query: Query) -> Page:
    """Return one page of a list.

    Args:
        collection: The objects of the resource.
        current: Current revision of the store.
        query: What to list.

    Raises:
        ApiError: 410 if the revision has been compacted, 504 if it does not exist yet, 400 for an invalid query.
    """
    revision, start = _unpacked(query.token) if query.token else (_wanted_revision(query, current), ("", ""))
    snapshot = collection.records_at(revision, query.namespace)
    rest = snapshot[bisect_right(snapshot, start, key=attrgetter("key")) :]
    found = [record for record in rest if query.matches(record.data)]
    metadata: dict[str, Any] = {"resourceVersion": str(revision)}
    if query.limit and len(found) > query.limit:
        remaining, found = len(found) - query.limit, found[: query.limit]
        metadata["continue"] = _packed(revision, found[-1].key)
        if not query.selective:
            metadata["remainingItemCount"] = remaining
    return Page(found, metadata)


def _wanted_revision(query: Query, current: int) -> int:
    wanted = revision_number(query.revision)
    if query.match and not query.revision:
        raise forbidden_option(
            "resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided"
        )
    if wanted > current:
        raise too_large_revision(wanted, current)
    exact = query.match == "Exact" or (query.limit and not query.match and wanted)
    return wanted if exact else current


def _packed(revision: int, start: Key) -> str:
    token = json.dumps({"v": "meta.k8s.io/v1", "rv": revision, "start": start})
    return base64.urlsafe_b64encode(token.encode()).decode().rstrip("=")


def _unpacked(token: str) -> tuple[int, Key]:
    try:
        content = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
        namespace, name = content["start"]
        return int(content["rv"]), (str(namespace), str(name))
    except (binascii.Error, ValueError, KeyError, TypeError) as unreadable:
        raise bad_request("continue key is not valid") from unreadable
