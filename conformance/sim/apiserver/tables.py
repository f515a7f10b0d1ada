"""Tables: what `kubectl get` prints, a row per object."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from conformance.sim.apiserver.catalog import Served
from conformance.sim.apiserver.objects import Object, look, name_of
from conformance.sim.apiserver.printers import Column, columns_of

_SEGMENT = re.compile(r"\.([A-Za-z0-9_\-\\./]+?)(?=\.|\[|$)|\[(?:'([^']+)'|(\d+)|\?\(@\.(\w+)==\"([^\"]*)\"\)|\*)\]")
_MINUTE, _HOUR, _DAY, _YEAR = 60, 3600, 86400, 365 * 86400
_RANGES = (
    (2 * _MINUTE, 1, "s", 0, ""),
    (10 * _MINUTE, _MINUTE, "m", 1, "s"),
    (3 * _HOUR, _MINUTE, "m", 0, ""),
    (8 * _HOUR, _HOUR, "h", _MINUTE, "m"),
    (48 * _HOUR, _HOUR, "h", 0, ""),
    (8 * _DAY, _DAY, "d", _HOUR, "h"),
    (2 * _YEAR, _DAY, "d", 0, ""),
    (8 * _YEAR, _YEAR, "y", _DAY, "d"),
)
"""Below so many seconds: the unit, and the smaller unit that is shown beside it. Source: k8s.io/apimachinery
pkg/util/duration v0.36."""


def table(
    objects: Sequence[Object], metadata: Mapping[str, Any], served: Served, now: datetime, include: str
) -> Object:
    """Return the objects as a `Table` of meta.k8s.io/v1.

    Args:
        objects: One row each.
        metadata: Metadata of the list.
        served: The resource, which decides about the columns.
        now: Time that ages are counted to.
        include: What a row carries of its object: `None`, `Metadata` or `Object`.
    """
    columns = _columns(served)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": metadata,
        "columnDefinitions": [column.definition for column in columns],
        "rows": [
            {"cells": [_shown(column, obj, now) for column in columns], **_carried(obj, include)} for obj in objects
        ],
    }


def _carried(obj: Object, include: str) -> Object:
    if include == "None":
        return {}
    if include == "Object":
        return {"object": obj}
    head = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1"}
    return {"object": {**head, "metadata": obj["metadata"]}}


def _columns(served: Served) -> tuple[Column, ...]:
    if not served.columns:
        return columns_of(served.resource.key)
    name = Column("Name", name_of, format="name")
    return (name, *(_custom_column(column) for column in served.columns))


def _custom_column(column: Mapping[str, Any]) -> Column:
    path = column["jsonPath"]
    return Column(
        column["name"],
        lambda obj: first_at(obj, path),
        type=column["type"],
        format=column.get("format", ""),
        priority=column.get("priority", 0),
    )


def _shown(column: Column, obj: Object, now: datetime) -> Any:
    value = column.cell(obj)
    if column.type == "date":
        return age(value, now)
    return value


def first_at(value: Any, path: str) -> Any:
    """Return what a simple JSONPath (`.spec.size`, `.status.conditions[?(@.type=="Ready")].status`) finds first."""
    for field, quoted, index, key, wanted in _SEGMENT.findall(path):
        if index:
            value = value[int(index)] if isinstance(value, list) and len(value) > int(index) else None
        elif key:
            value = next((item for item in value or [] if str(item.get(key)) == wanted), None)
        elif field or quoted:
            value = look(value, (field or quoted).replace("\\.", "."))
        elif isinstance(value, list):
            value = value[0] if value else None
    return value


def age(since: Any, now: datetime) -> str:
    """Return how long ago a time is, in the two largest units that tell something."""
    if not isinstance(since, str):
        return "<unknown>"
    return duration(now - datetime.fromisoformat(since))


def duration(elapsed: timedelta) -> str:
    """Return a duration as kubectl shows it: `75s`, `3m20s`, `5h`, `12d`."""
    seconds = max(int(elapsed.total_seconds()), 0)
    for below, size, unit, smaller_size, smaller in _RANGES:
        if seconds < below:
            rest = seconds % size // smaller_size if smaller else 0
            return f"{seconds // size}{unit}" + (f"{rest}{smaller}" if rest else "")
    return f"{seconds // _YEAR}y"
