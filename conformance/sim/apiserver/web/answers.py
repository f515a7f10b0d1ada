"""Building HTTP answers, and the forms of the objects in them: whole, as table rows, or as metadata alone."""

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
from conformance.sim.apiserver.web.printing import table

JSON_TYPE = "application/json"


def json_answer(body: bytes, status: int = HTTPStatus.OK, warnings: Iterable[str] = ()) -> web.Response:
    """Return an answer of encoded JSON, with one `Warning` header for each warning."""
    answer = web.Response(body=body, status=status, content_type=JSON_TYPE)
    for text in warnings:
        escaped = text.replace("\\", "\\\\").replace('"', '\\"')
        answer.headers.add("Warning", f'299 - "{escaped}"')
    return answer


def value_answer(value: object, status: int = HTTPStatus.OK) -> web.Response:
    """Return an answer that carries a JSON value."""
    return json_answer(encoded(value), status)


def refusal(error: ApiError) -> web.Response:
    """Return the answer to a request that was refused."""
    if isinstance(error, NoSuchPathError):
        return web.Response(text=f"{error}\n", status=error.code)
    answer = json_answer(encoded(error.status), error.code)
    retry = error.status.get("details", {}).get("retryAfterSeconds")
    if retry:
        answer.headers["Retry-After"] = str(retry)
    return answer


def success(**details: object) -> web.Response:
    """Return the Status that says that a request was carried out."""
    status = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success"}
    return value_answer({**status, "details": details} if details else status)


_INITIAL_EVENTS_END = "k8s.io/initial-events-end"


class Representation(Protocol):
    """How one client wants to see the objects of one resource."""

    def one(self, record: Record) -> bytes:
        """Return a single object."""
        ...

    def many(self, page: Page) -> bytes:
        """Return a list."""
        ...

    def event(self, item: Item) -> bytes:
        """Return one line of a watch."""
        ...


def _line(kind: str, obj: bytes) -> bytes:
    return b'{"type":"%s","object":%s}\n' % (kind.encode(), obj)


@dataclass(frozen=True)
class Whole:
    """Every object as it is stored."""

    served: Served

    def one(self, record: Record) -> bytes:
        """Return the stored JSON, under the version of the API that was asked for."""
        if record.data["apiVersion"] == self.served.resource.api_version:
            return record.json
        return encoded({**record.data, "apiVersion": self.served.resource.api_version})

    def many(self, page: Page) -> bytes:
        """Return a list of the kind `...List`."""
        resource = self.served.resource
        head = {"kind": f"{resource.kind}List", "apiVersion": resource.api_version, "metadata": page.metadata}
        return b'%s,"items":[%s]}' % (encoded(head)[:-1], b",".join(map(self.one, page.records)))

    def event(self, item: Item) -> bytes:
        """Return one line of a watch."""
        if isinstance(item, ApiError):
            return _line("ERROR", encoded(item.status))
        if isinstance(item, Bookmark):
            resource = self.served.resource
            return _line("BOOKMARK", encoded(_bookmark(item, resource.kind, resource.api_version)))
        kind, record = item
        return _line(kind, self.one(record))


@dataclass(frozen=True)
class Converted:
    """Objects in another form than the stored one.

    Attributes:
        kind: Kind of the form for one object.
        convert: Returns the form of several objects, given the list's metadata.
        single: Returns the form of one object.
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
        """Return one line of a watch."""
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
    """Return the first form in an Accept header that the server can give.

    Args:
        accept: The header; empty where there is none.
        served: The resource.
        now: Returns the time of the cluster, for ages in tables.
        include: `includeObject`: what each row of a table carries of its object (`None`, `Metadata`, `Object`).

    Raises:
        ApiError: 406 where the server can give none of them.
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


def metadata_only(obj: Object) -> Object:
    """Return an object's metadata as a PartialObjectMetadata."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": obj["metadata"]}


def _metadata_list(objects: Sequence[Object], metadata: Mapping[str, Any]) -> Object:
    head = {"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": metadata}
    return {**head, "items": [metadata_only(obj) for obj in objects]}


_METADATA_ONLY = Converted("PartialObjectMetadata", _metadata_list, metadata_only)
