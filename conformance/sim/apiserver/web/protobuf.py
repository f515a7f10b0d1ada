r"""The messages that kubectl sends only as protobuf: for `drain`, `create` (of a few kinds) and `auth can-i`.

A message starts with the magic bytes `k8s\0`, then a `runtime.Unknown` with the type and the message itself. Source
of the field numbers: k8s.io/apimachinery pkg/runtime and pkg/apis/meta/v1, k8s.io/api core/v1, policy/v1 and
authorization/v1, generated.proto v0.36.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance.sim.apiserver.errors import bad_request, unsupported_media_type
from conformance.sim.apiserver.objects import Object

PROTOBUF = "application/vnd.kubernetes.protobuf"
_MAGIC = b"k8s\x00"
_VARINT, _BYTES = 0, 2

Shape = Mapping[int, tuple[str, Any]]
"""Fields by number: the JSON name, and `int`, `bool`, `str`, `[str]`, `dict` (of strings) or the shape of a message;
in a tuple, that of an `IntOrString`."""

_TYPE_META: Shape = {1: ("apiVersion", str), 2: ("kind", str)}
_UNKNOWN: Shape = {1: ("typeMeta", _TYPE_META), 2: ("raw", bytes)}
_DELETE_OPTIONS: Shape = {
    1: ("gracePeriodSeconds", int),
    2: ("preconditions", {1: ("uid", str), 2: ("resourceVersion", str)}),
    3: ("orphanDependents", bool),
    4: ("propagationPolicy", str),
    5: ("dryRun", [str]),
}
_ENTRY: Shape = {1: ("key", str), 2: ("value", str)}
_METADATA_FIELDS: Shape = {
    1: ("name", str),
    2: ("generateName", str),
    3: ("namespace", str),
    11: ("labels", dict),
    12: ("annotations", dict),
}
_METADATA = ("metadata", _METADATA_FIELDS)
_RESOURCE_ATTRIBUTES: Shape = {
    1: ("namespace", str),
    2: ("verb", str),
    3: ("group", str),
    4: ("version", str),
    5: ("resource", str),
    6: ("subresource", str),
    7: ("name", str),
}
_ACCESS: Shape = {
    1: ("resourceAttributes", _RESOURCE_ATTRIBUTES),
    2: ("nonResourceAttributes", {1: ("path", str), 2: ("verb", str)}),
}
_NUMBER_OR_TEXT: Shape = {1: ("type", int), 2: ("number", int), 3: ("text", str)}
_BUDGET: Shape = {
    1: ("minAvailable", (_NUMBER_OR_TEXT,)),
    2: ("selector", {1: ("matchLabels", dict)}),
    3: ("maxUnavailable", (_NUMBER_OR_TEXT,)),
}
_SHAPES: Mapping[str, Shape] = {
    "DeleteOptions": _DELETE_OPTIONS,
    "Eviction": {1: _METADATA, 2: ("deleteOptions", _DELETE_OPTIONS)},
    "ConfigMap": {1: _METADATA, 2: ("data", dict)},
    "Namespace": {1: _METADATA},
    "ServiceAccount": {1: _METADATA},
    "PodDisruptionBudget": {1: _METADATA, 2: ("spec", _BUDGET)},
    "SelfSubjectAccessReview": {2: ("spec", _ACCESS)},
    "SelfSubjectRulesReview": {2: ("spec", {1: ("namespace", str)})},
}


def read_message(body: bytes) -> Object:
    """Return the object in a protobuf body; raises ApiError, 415 for other kinds and 400 for an invalid message."""
    if not body.startswith(_MAGIC):
        raise bad_request("the body of the request does not start with the protobuf magic of Kubernetes")
    try:
        envelope = _fields(body[len(_MAGIC) :], _UNKNOWN)
        kind = envelope["typeMeta"]["kind"]
        if kind not in _SHAPES:
            raise unsupported_media_type(("application/json", "application/yaml"))
        return {**envelope["typeMeta"], **_fields(envelope.get("raw", b""), _SHAPES[kind])}
    except (IndexError, KeyError, UnicodeDecodeError) as broken:
        raise bad_request(f"the body of the request is not a readable message: {broken}") from broken


def _fields(data: bytes, shape: Shape) -> Object:
    result: Object = {}
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        value: Any
        if tag & 7 == _VARINT:
            value, at = _varint(data, at)
        elif tag & 7 == _BYTES:
            size, at = _varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            raise IndexError(f"wire type {tag & 7}")
        if tag >> 3 in shape:
            name, kind = shape[tag >> 3]
            _put(result, name, kind, value)
    return result


def _put(result: Object, name: str, kind: Any, value: Any) -> None:
    if isinstance(kind, list):
        result.setdefault(name, []).append(value.decode())
    elif kind is dict:
        entry = _fields(value, _ENTRY)
        result.setdefault(name, {})[entry.get("key", "")] = entry.get("value", "")
    elif isinstance(kind, tuple):
        either = _fields(value, *kind)
        result[name] = either.get("text", "") if either.get("type") else either.get("number", 0)
    elif isinstance(kind, Mapping):
        result[name] = _fields(value, kind)
    else:
        result[name] = value.decode() if kind is str else kind(value)


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """Return the number at offset `at` and the offset behind it."""
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        shift += 7
        if byte < 0x80:
            return value, at
