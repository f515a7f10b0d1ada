"""Parsing of requests: path, query and body."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
import yaml
from aiohttp import web

from conformance.sim.apiserver.errors import NoSuchPathError, bad_request, unsupported_media_type
from conformance.sim.apiserver.objects import Object, look
from conformance.sim.apiserver.resources.catalog import Catalog, Served
from conformance.sim.apiserver.resources.selectors import field_matcher, label_matcher
from conformance.sim.apiserver.storage.listing import Query
from conformance.sim.apiserver.web.protobuf import PROTOBUF, read_message
from conformance.sim.apiserver.writing.deletion import DeleteOptions
from conformance.sim.apiserver.writing.registry import WriteOptions

_TRUE = ("true", "1", "True")
JSON = "application/json"
YAML = "application/yaml"


@dataclass(frozen=True)
class LocalRequest:
    """A request of a component in this process: what the handlers read of a request, without a network.

    Attributes:
        method: HTTP method.
        path: Path of the URL.
        query: Parameters of the URL.
        headers: `User-Agent` and, for a body, `Content-Type`.
        body: The body; empty for none.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    async def read(self) -> bytes:
        """Return the body."""
        return self.body


@dataclass(frozen=True)
class Target:
    """The resource, object or subresource that a path names.

    Attributes:
        served: The resource.
        namespace: Namespace; empty in the cluster scope and for all namespaces.
        name: Name of the object; empty for the whole collection.
        subresource: Name of the subresource; empty for the object itself.
        rest: Path below the subresource, without a leading slash.
    """

    served: Served
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""


def target_of(path: str, catalog: Catalog) -> Target:
    """Return what a path below `/api` or `/apis` names; raises NoSuchPathError if it is not served."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        raise NoSuchPathError
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and catalog.find(group, version, rest[2]):
        namespace, rest = rest[1], rest[2:]
    served = catalog.find(group, version, rest[0])
    if served is None or (namespace and not served.resource.namespaced):
        raise NoSuchPathError
    name, subresource, *more = (*rest[1:], "", "")
    if name and served.resource.namespaced and not namespace:
        raise NoSuchPathError
    if subresource and subresource not in served.resource.subresources:
        raise NoSuchPathError
    return Target(served, namespace, name, subresource, "/".join(filter(None, more)))


def query_of(target: Target, query: Mapping[str, str]) -> Query:
    """Return what a list, watch or deletecollection selects; raises ApiError (400) if the query is invalid."""
    labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
    if target.name:
        fields = ",".join(filter(None, (fields, f"metadata.name={target.name}")))
    by_label = label_matcher(labels)
    by_field = field_matcher(fields, target.served.resource, target.served.selectable)

    def matches(obj: Object) -> bool:
        return by_label(obj) and by_field(obj)

    return Query(
        namespace=target.namespace or (None if target.served.resource.namespaced else ""),
        matches=matches,
        selective=bool(labels or fields),
        revision=query.get("resourceVersion", ""),
        match=query.get("resourceVersionMatch", ""),
        limit=number(query, "limit") or 0,
        token=query.get("continue", ""),
    )


def write_options_of(query: Mapping[str, str], user_agent: str) -> WriteOptions:
    """Return the write options of a request; the default field manager is the program name of the user agent."""
    return WriteOptions(
        dry_run=query.get("dryRun") == "All",
        field_manager=query.get("fieldManager") or user_agent.partition("/")[0] or "unknown",
        force=flag(query, "force"),
        strict=query.get("fieldValidation") == "Strict",
    )


def flag(query: Mapping[str, str], name: str) -> bool:
    """Return whether a query parameter is true."""
    return query.get(name, "") in _TRUE


def number(query: Mapping[str, str], name: str) -> int | None:
    """Return an integer parameter; None if it is absent or empty. Raises ApiError (400) if it is not an integer."""
    text = query.get(name)
    if not text:
        return None
    if not text.lstrip("-").isdigit():
        raise bad_request(f"strconv.ParseInt: parsing {text!r}: invalid syntax")
    return int(text)


def media_of(request: web.BaseRequest) -> str:
    """Return the media type of a request's body; empty if the client does not send one."""
    return request.headers.get("Content-Type", "").partition(";")[0].strip()


def read_object(body: bytes, content_type: str) -> Object:
    """Return the object in a body; a body without a content type is JSON.

    Raises:
        ApiError: 415 for an unsupported format, 400 for a body that cannot be parsed or is not an object.
    """
    media = content_type or JSON
    if media == PROTOBUF:
        value: Any = read_message(body)
    elif media == JSON:
        value = _json(body)
    elif media == YAML:
        value = _yaml(body)
    else:
        raise unsupported_media_type((JSON, YAML, PROTOBUF))
    if not isinstance(value, dict):
        raise bad_request("the body of the request must be one object")
    return value


def read_patch(body: bytes, media: str) -> Any:
    """Return the content of a patch: YAML for an apply patch, else JSON. Raises ApiError (400) if it is invalid."""
    return _yaml(body) if media.endswith("yaml") else _json(body)


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except ValueError as unreadable:
        raise bad_request(f"the body of the request is not valid JSON: {unreadable}") from unreadable


def _yaml(body: bytes) -> Any:
    try:
        return orjson.loads(body) if body.lstrip().startswith(b"{") else yaml.safe_load(body)
    except (yaml.YAMLError, ValueError) as unreadable:
        raise bad_request(f"the body of the request is not valid YAML: {unreadable}") from unreadable


def read_delete_options(body: bytes, content_type: str, query: Mapping[str, str]) -> DeleteOptions:
    """Return the options of a delete request, which are in its body, its query or both."""
    return delete_options(read_object(body, content_type) if body else {}, query)


def delete_options(given: Object, query: Mapping[str, str]) -> DeleteOptions:
    """Return the options in a `DeleteOptions` object and a query; the object takes precedence."""
    grace = look(given, "gracePeriodSeconds", default=query.get("gracePeriodSeconds"))
    policy = look(given, "propagationPolicy", default=query.get("propagationPolicy", ""))
    orphan = look(given, "orphanDependents", default=query.get("orphanDependents"))
    if not policy and orphan is not None:
        policy = "Orphan" if str(orphan).lower() == "true" else "Background"
    if policy not in ("", "Orphan", "Foreground", "Background"):
        raise bad_request(f"invalid propagationPolicy: {policy!r}")
    return DeleteOptions(
        grace_seconds=None if grace is None else int(grace),
        policy=policy,
        uid=look(given, "preconditions", "uid", default=""),
        revision=look(given, "preconditions", "resourceVersion", default=""),
        dry_run="All" in (look(given, "dryRun", default=[]) or [query.get("dryRun")]),
    )
