"""Lists: of which revision, which objects, and in which portions."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from conformance.sim.apiserver.errors import ApiError, bad_request, forbidden_field, too_large_revision, unprocessable
from conformance.sim.apiserver.objects import Key, Matcher, Object, Record
from conformance.sim.apiserver.storage.store import Collection


@dataclass(frozen=True)
class Query:
    """Which objects a list or a watch is about.

    Attributes:
        namespace: Namespace; None for all.
        matches: Test of label and field selectors.
        selective: Whether there is a selector at all.
        name: Name, where only one object can match; None otherwise.
        revision: `resourceVersion` of the request, empty where it does not say.
        match: `resourceVersionMatch`, empty where it does not say.
        limit: Most objects in one answer; 0 for all.
        token: `continue` of the answer before.
    """

    namespace: str | None
    matches: Matcher
    selective: bool = False
    revision: str = ""
    match: str = ""
    limit: int = 0
    token: str = ""

    def takes(self, obj: Object) -> bool:
        """Tell whether the query is about this object."""
        return (self.namespace is None or obj["metadata"].get("namespace", "") == self.namespace) and self.matches(obj)


@dataclass(frozen=True)
class Page:
    """One answer to a list.

    Attributes:
        records: The objects.
        metadata: The list's own metadata.
    """

    records: list[Record]
    metadata: Mapping[str, Any]


def revision_number(text: str) -> int:
    """Return the number behind a `resourceVersion`, 0 for an empty one; raises ApiError (400) where it is none."""
    if text and not text.isdigit():
        raise bad_request(f"Invalid value: {text!r}: strconv.ParseUint: parsing: invalid syntax")
    return int(text or 0)


def forbidden_option(name: str, detail: str) -> ApiError:
    """Return the refusal (422) of an option of a list or a watch that does not go with the others."""
    return unprocessable("ListOptions", "", [forbidden_field(name, detail)], "meta.k8s.io")


def list_page(collection: Collection, current: int, query: Query) -> Page:
    """Return the objects that a list asks for.

    Args:
        collection: The objects of the resource.
        current: Revision of the store.
        query: What is asked for.

    Raises:
        ApiError: 410 where the revision is forgotten, 504 where it does not exist yet, 400 for an unreadable query.
    """
    revision, start = _unpacked(query.token) if query.token else (_wanted_revision(query, current), ("", ""))
    snapshot = collection.records_at(revision, query.namespace)
    found = [record for record in snapshot if record.key > start and query.takes(record.data)]
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
