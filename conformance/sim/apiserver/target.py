"""What the path and the query of a request are about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from conformance.sim.apiserver.catalog import Catalog, Served
from conformance.sim.apiserver.checks import WriteOptions
from conformance.sim.apiserver.errors import NoSuchPathError, bad_request
from conformance.sim.apiserver.listing import Query
from conformance.sim.apiserver.objects import Object
from conformance.sim.apiserver.selectors import field_matcher, label_matcher

_TRUE = ("true", "1", "True")


@dataclass(frozen=True)
class Target:
    """The resource, object or subresource that a path names.

    Attributes:
        served: The resource.
        namespace: Namespace; empty in the cluster scope and for all namespaces.
        name: Name of the object; empty for the whole collection.
        subresource: What stands behind the name; empty for the object itself.
        rest: What stands behind the subresource, without a leading slash.
    """

    served: Served
    namespace: str = ""
    name: str = ""
    subresource: str = ""
    rest: str = ""


def target_of(path: str, catalog: Catalog) -> Target:
    """Return what a path below `/api` or `/apis` names; raises NoSuchPathError where it names nothing."""
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
    """Return which objects a list, a watch or a deletion of a collection is about; raises ApiError (400)."""
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
    """Return how a request wants to write; who names no field manager is known by its program's name."""
    return WriteOptions(
        dry_run=query.get("dryRun") == "All",
        field_manager=query.get("fieldManager") or user_agent.partition("/")[0] or "unknown",
        force=flag(query, "force"),
        strict=query.get("fieldValidation") == "Strict",
    )


def flag(query: Mapping[str, str], name: str) -> bool:
    """Tell whether a parameter is set to true."""
    return query.get(name, "") in _TRUE


def number(query: Mapping[str, str], name: str) -> int | None:
    """Return an integer parameter, None where it is absent or empty; raises ApiError (400) where it is no integer."""
    text = query.get(name)
    if not text:
        return None
    if not text.lstrip("-").isdigit():
        raise bad_request(f"strconv.ParseInt: parsing {text!r}: invalid syntax")
    return int(text)
