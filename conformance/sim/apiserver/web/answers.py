"""HTTP responses, and the representations of objects in them: whole, as table rows, or metadata only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Protocol

from aiohttp import web

from conformance.sim.apiserver.errors import ApiError, NoSuchPathError
from conformance.sim.apiserver.objects import Object, Record, encoded
from conformance.sim.apiserver.resources.catalog import Served
from conformance.sim.apiserver.storage.listing import Page
from conformance.sim.apiserver.storage.watching import Bookmark, Item
from conformance.sim.apiserver.web.printing import metadata_only, table

JSON_TYPE = "application/json"
_INITIAL_EVENTS_END = "k8s.io/initial-events-end"


def json_answer(body: bytes, status: int = HTTPStatus.OK, warnings: Iterable[str] = ()) -> web.Response:
    """Return a response with a JSON body and one `Warning` header for each warning."""
    answer = web.Response(body=body, status=status, content_type=JSON_TYPE)
    for text in warnings:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        answer.headers.add("Warning", f'299 - "{escaped}"')
    return answer


def value_answer(value: object, status: int = HTTPStatus.OK) -> web.Response:
    """Return a response with a JSON value."""
    return json_answer(encoded(value), status)


def refusal(error: ApiError) -> web.Response:
    """Return the response for a rejected request."""
    if isinstance(error, NoSuchPathError):
        return web.Response(text=f"{error}\n", status=error.code)
    answer = json_answer(encoded(error.status), error.code)
    retry = error.status.get("details", {}).get("retryAfterSeconds")
    if retry:
        answer.headers["Retry-After"] = str(retry)
    return answer


def success(**details: object) -> web.Response:
    """Return a response with a Status of success."""
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return value_answer({**status, "details": details} if details else status)


class Representation(Protocol):
    """The representation of a resource's objects that a client has asked for."""

    def one(self, record: Record) -> bytes:
        """Return a single object."""
        ...

    def many(self, page: Page) -> bytes:
        """Return a list."""
        ...

    def event(self, item: Item) -> bytes:
        """Return one line of a watch response."""
        ...


def _line(kind: str, obj: bytes) -> bytes:
    return b'{"type":"%s","object":%s}\n' % (kind.encode(), obj)


@dataclass(frozen=True)
class Whole:
    """Objects as they are stored."""

    served: Served

    def one(self, record: Record) -> bytes:
        """Return the stored JSON with the requested API version."""
        if record.data["apiVersion"] == self.served.resource.api_version:
            return record.json
        return encoded({**record.data, "apiVersion": self.served.resource.api_version})

    def many(self, page: Page) -> bytes:
        """Return a list object (`PodList`, ...)."""
        resource = self.served.resource
        head = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": page.metadata}
        return b'%s,"items":[%s]}' % (encoded(head)[:-1], b",".join(map(self.one, page.records)))

    def event(self, item: Item) -> bytes:
        """Return one line of a watch response."""
        if isinstance(item, ApiError):
            return _line("ERROR", encoded(item.status))
        if isinstance(item, Bookmark):
            resource = self.served.resource
            return _line("BOOKMARK", encoded(_bookmark(item, resource.kind, resource.api_version)))
        kind, record = item
        return _line(kind, self.one(record))


@dataclass(frozen=True)
class Converted:
    """Objects converted to another kind.

    Attributes:
        kind: Kind of one converted object.
        convert: Converts a list of objects, given the metadata of the list.
        single: Converts one object.
    """

    kind: str
    convert: Callable[[Sequence[Object], Mapping[str, Any]], Object]
    single: Callable[[Object], Object]

    def one(self, record: Record) -> bytes:
        """Return a single object."""
        return encoded(self.single(record.data))

    def many(self, page: Page) -> bytes:
        """Return a list."""
        return encoded(self.convert([record.data for record in page.records], page.metadata))

    def event(self, item: Item) -> bytes:
        """Return one line of a watch response."""
        if isinstance(item, ApiError):
            return _line("ERROR", encoded(item.status))
        if isinstance(item, Bookmark):
            return _line("BOOKMARK", encoded(_bookmark(item, self.kind, "meta.k8s.io/v1")))
        kind, record = item
        return _line(kind, encoded(self.single(record.data)))


def _bookmark(bookmark: Bookmark, kind: str, api_version: str) -> Object:
    metadata: Object = {"resourceVersion": str(bookmark.revision), "creationTimestamp": None}
    if bookmark.ends_initial:
        metadata["annotations"] = {_INITIAL_EVENTS_END: "true"}
    return {"kind": kind, "apiVersion": api_version, "metadata": metadata}


def negotiate(accept: str, served: Served, now: Callable[[], datetime], include: str = "") -> Representation:
    """Return the first representation in an Accept header that the server supports.

    Args:
        accept: Value of the header; empty if there is none.
        served: The resource.
        now: Returns the current time of the cluster, for ages in tables.
        include: `includeObject`: how much of its object each table row contains (`None`, `Metadata`, `Object`).

    Raises:
        ApiError: 406 if the server supports none of them.
    """
    for choice in (accept or "*/*").split(","):
        media, *parameters = (part.strip() for part in choice.split(";"))
        form = dict(part.partition("=")[::2] for part in parameters).get("as", "")
        if media not in ("application/json", "application/*", "*/*"):
            continue
        if not form:
            return Whole(served)
        if form == "Table":
            return _tables(served, now, include or "Metadata")
        if form.startswith("PartialObjectMetadata"):
            return _METADATA_ONLY
    message = "only the following media types are accepted: application/json"
    raise ApiError(406, "NotAcceptable", message)


def _tables(served: Served, now: Callable[[], datetime], include: str) -> Representation:
    def convert(objects: Sequence[Object], metadata: Mapping[str, Any]) -> Object:
        return table(objects, metadata, served, now(), include)

    def single(obj: Object) -> Object:
        return convert([obj], {"resourceVersion": obj["metadata"].get("resourceVersion", "")})

    return Converted("Table", convert, single)


def _metadata_list(objects: Sequence[Object], metadata: Mapping[str, Any]) -> Object:
    head = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
    return {**head, "items": [metadata_only(obj) for obj in objects]}


_METADATA_ONLY = Converted("PartialObjectMetadata", _metadata_list, metadata_only)
