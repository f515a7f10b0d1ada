"""Reading the body of a request in the formats that clients send."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import yaml

from conformance.sim.apiserver.deletion import DeleteOptions
from conformance.sim.apiserver.errors import bad_request, unsupported_media_type
from conformance.sim.apiserver.objects import Object, look
from conformance.sim.apiserver.protobuf import PROTOBUF, read_message

JSON = "application/json"
YAML = "application/yaml"


def read_object(body: bytes, content_type: str) -> Object:
    """Return the object that a body holds; one without a content type is JSON.

    Raises:
        ApiError: 415 for a format that the server does not read, 400 for a body that is not what it says or no object.
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
    """Return the content of a patch, which is YAML for an apply patch and JSON else; raises ApiError (400)."""
    return _yaml(body) if media.endswith("yaml") else _json(body)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError as unreadable:
        raise bad_request(f"the body of the request is not valid JSON: {unreadable}") from unreadable


def _yaml(body: bytes) -> Any:
    try:
        return json.loads(body) if body.lstrip().startswith(b"{") else yaml.safe_load(body)
    except (yaml.YAMLError, ValueError) as unreadable:
        raise bad_request(f"the body of the request is not valid YAML: {unreadable}") from unreadable


def read_delete_options(body: bytes, content_type: str, query: Mapping[str, str]) -> DeleteOptions:
    """Return the options of a deletion, which stand in its body, its query or both."""
    return delete_options(read_object(body, content_type) if body else {}, query)


def delete_options(given: Object, query: Mapping[str, str]) -> DeleteOptions:
    """Return the options that a `DeleteOptions` object and a query hold; the object wins."""
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
