"""OpenAPI v3: one document per group version, as kubectl needs it for validation, `explain` and patches.

Descriptions come from the official client's models, or from a custom resource's definition.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from typing import Any

from conformance.sim.apiserver.objects import Object
from conformance.sim.apiserver.resources.catalog import Catalog, Served
from conformance.sim.apiserver.resources.schema import Schema, schema_of
from conformance.sim.apiserver.web.discovery import KUBERNETES_VERSION
from conformance.sim.apiserver.writing.patches import PATCH_TYPES, STRATEGIC_PATCH

_SCALARS: Mapping[str, Object] = {
    "string": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "time": {"type": "string", "format": "date-time"},
    "micro-time": {"type": "string", "format": "date-time"},
    "quantity": {"oneOf": [{"type": "string"}, {"type": "number"}]},
    "int-or-string": {"oneOf": [{"type": "integer"}, {"type": "string"}], "format": "int-or-string"},
    "any": {"type": "object"},
}


class OpenApi:
    """The documents of a catalog; each is built on first use and cached until the catalog changes."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._made: dict[str, tuple[int, Object]] = {}

    def index(self) -> Object:
        """Return the content of `/openapi/v3`: the URL of the document of every group version."""
        paths = sorted({_path(served) for served in self._catalog})
        tag = self._catalog.changes
        return {"paths": {path: {"serverRelativeURL": f"/openapi/v3/{path}?hash={tag}"} for path in paths}}

    def document(self, path: str) -> Object | None:
        """Return the document of the group version at `path` (`api/v1`, `apis/apps/v1`); None if there is none."""
        changes, made = self._made.get(path, (-1, {}))
        if changes != self._catalog.changes:
            served = [item for item in self._catalog if _path(item) == path]
            if not served:
                return None
            made = _document(served, path)
            self._made[path] = (self._catalog.changes, made)
        return made


def _document(served: list[Served], path: str) -> Object:
    schemas: Object = {}
    for item in served:
        _add(item, schemas)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": KUBERNETES_VERSION},
        "paths": {where: calls for item in served for where, calls in _calls(item, path)},
        "components": {"schemas": schemas},
    }


def _path(served: Served) -> str:
    resource = served.resource
    return f"apis/{resource.api_version}" if resource.group else f"api/{resource.version}"


def _calls(served: Served, path: str) -> Iterator[tuple[str, Object]]:
    """Yield the paths of a resource with the operations that kubectl looks up."""
    resource = served.resource
    collection = (
        f"/{path}/namespaces/{{namespace}}/{resource.plural}" if resource.namespaced else (f"/{path}/{resource.plural}")
    )
    reference = {"application/json": {"schema": {"$ref": f"#/components/schemas/{_name(served)}"}}}
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    answer = {"200": {"description": "OK", "content": reference}}
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string"}, "uniqueItems": True}
        for name in ("dryRun", "fieldManager", "fieldValidation")
    ]
    common = {"responses": answer, "x-kubernetes-group-version-kind": kind}
    writing = {**common, "parameters": parameters, "requestBody": {"content": {"*/*": reference["application/json"]}}}
    yield collection, {"post": {**writing, "x-kubernetes-action": "post"}}
    if resource.stored:
        types = [media for media in PATCH_TYPES if not (served.custom and media == STRATEGIC_PATCH)]
        patch = {**writing, "requestBody": {"content": {media: {"schema": {"type": "object"}} for media in types}}}
        named = {"get": {**common, "x-kubernetes-action": "get"}, "put": {**writing, "x-kubernetes-action": "put"}}
        yield f"{collection}/{{name}}", {**named, "patch": {**patch, "x-kubernetes-action": "patch"}}


def _name(served: Served) -> str:
    """Return the name of a resource's schema."""
    resource = served.resource
    return f"{resource.group}.{resource.version}.{resource.kind}" if served.custom else str(resource.model)


def _add(served: Served, schemas: Object) -> None:
    """Add a resource's schema, and those that it refers to, to `schemas`."""
    if served.custom:
        text = served.custom.schema_text
        metadata = _schema(schema_of("V1ObjectMeta"), schemas)
        properties = {"apiVersion": {"type": "string"}, "kind": {"type": "string"}, **(text.get("properties") or {})}
        schemas[_name(served)] = {**text, "properties": {**properties, "metadata": metadata}}
    else:
        _schema(served.schema, schemas)
    resource = served.resource
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    schemas[_name(served)]["x-kubernetes-group-version-kind"] = [kind]


def _schema(schema: Schema, schemas: Object) -> Object:
    """Return the OpenAPI form of a schema; objects become references to entries of `schemas`."""
    if schema.type == "list":
        listed: Object = {"type": "array", "items": _schema(schema.below(""), schemas)}
        if schema.merge_key or schema.merge_values:
            listed["x-kubernetes-patch-strategy"] = "merge"
        if schema.merge_key:
            listed["x-kubernetes-patch-merge-key"] = schema.merge_key
        return listed
    if schema.type == "map":
        return {"type": "object", "additionalProperties": _schema(schema.below(""), schemas)}
    if schema.type != "object":
        return dict(_SCALARS[schema.type])
    if schema.model not in schemas:
        schemas[schema.model] = _object(schema, schemas)
    return {"allOf": [{"$ref": f"#/components/schemas/{schema.model}"}], "default": {}}


def _object(schema: Schema, schemas: Object) -> Object:
    schemas[schema.model] = {}
    described = _descriptions(schema.model)
    properties = {
        name: {**_schema(field, schemas), "description": described.get(name, "")}
        for name, field in schema.fields.items()
    }
    text = (_model_class(schema.model).__doc__ or "").strip().partition("\n")[0]
    result: Object = {"type": "object", "description": text, "properties": properties}
    return {**result, "required": sorted(schema.required)} if schema.required else result


def _descriptions(model: str) -> Mapping[str, Any]:
    described = _model_class(model)
    fields = described.model_fields
    return {name: fields[key].description or "" for key, name in described.attribute_map.items() if key in fields}


def _model_class(model: str) -> Any:
    """Return the client's class of this name; raises AttributeError where the client has none."""
    return getattr(importlib.import_module("kubernetes.client.models"), model)
