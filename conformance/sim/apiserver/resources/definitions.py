"""CustomResourceDefinitions: their own rules, and the resources and shapes that they define.

Source: k8s.io/apiextensions-apiserver pkg/apis/apiextensions and pkg/apiserver/schema v0.36.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from conformance.sim.apiserver.errors import Cause, invalid, required
from conformance.sim.apiserver.objects import Object, look, name_of, replaced
from conformance.sim.apiserver.resources.builtin import Resource
from conformance.sim.apiserver.resources.schema import ANY, RULES, Schema, Type, schema_of

_LONG_AGO = "2024-01-01T00:00:00Z"


@dataclass(frozen=True)
class Defined:
    """One served version of a custom resource.

    Attributes:
        resource: Names, scope and subresources.
        schema: Shape of its objects.
        columns: `additionalPrinterColumns`.
        selectable: Fields that it can be selected by.
        schema_text: `openAPIV3Schema` as the definition gives it.
        scale: Paths of the scale subresource; empty where there is none.
    """

    resource: Resource
    schema: Schema
    columns: tuple[Mapping[str, Any], ...]
    selectable: tuple[str, ...]
    schema_text: Mapping[str, Any]
    scale: Mapping[str, str]


def with_default_names(definition: Object) -> Object:
    """Return the definition with singular and list names filled in."""
    names = look(definition, "spec", "names", default={})
    kind = str(names.get("kind", ""))
    return replaced(definition, {"singular": kind.lower(), "listKind": f"{kind}List", **names}, "spec", "names")


def established(definition: Object) -> Object:
    """Return a new definition with the status of one whose names were accepted and that is served."""
    names = look(definition, "spec", "names", default={})
    conditions = [
        {"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": since}
        for kind, reason, message in (
            ("NamesAccepted", "NoConflicts", "no conflicts found"),
            ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
        )
        for since in (look(definition, "metadata", "creationTimestamp", default=_LONG_AGO),)
    ]
    stored = [version["name"] for version in look(definition, "spec", "versions", default=[]) if version.get("storage")]
    return {**definition, "status": {"conditions": conditions, "acceptedNames": names, "storedVersions": stored}}


def breaches(definition: Object) -> list[Cause]:
    """Return the rules that a definition breaks."""
    spec = definition["spec"]
    found = []
    wanted = f"{look(spec, 'names', 'plural')}.{spec['group']}"
    if name_of(definition) != wanted:
        found.append(invalid("metadata.name", name_of(definition), f"must be {wanted}, the plural name and the group"))
    versions = spec.get("versions") or []
    if sum(bool(version.get("storage")) for version in versions) != 1:
        found.append(invalid("spec.versions", len(versions), "must have exactly one version marked as storage version"))
    for number, version in enumerate(versions):
        if not look(version, "schema", "openAPIV3Schema"):
            found.append(required(f"spec.versions[{number}].schema.openAPIV3Schema", "schemas are required"))
    return found


def defined(definition: Object) -> Iterator[Defined]:
    """Yield every served version of what a definition defines."""
    spec, names = definition["spec"], definition["spec"]["names"]
    for version in spec["versions"]:
        if not version.get("served"):
            continue
        subresources = version.get("subresources") or {}
        resource = Resource(
            spec["group"],
            version["name"],
            names["plural"],
            names["kind"],
            namespaced=spec["scope"] == "Namespaced",
            subresources=frozenset(subresources),
            singular=names.get("singular", ""),
            short_names=tuple(names.get("shortNames") or ()),
            categories=tuple(names.get("categories") or ()),
        )
        text = version["schema"]["openAPIV3Schema"]
        yield Defined(
            resource,
            _root(text),
            columns=tuple(version.get("additionalPrinterColumns") or ()),
            selectable=tuple(item["jsonPath"].lstrip(".") for item in version.get("selectableFields") or ()),
            schema_text=text,
            scale=subresources.get("scale") or {},
        )


def _root(text: Mapping[str, Any]) -> Schema:
    """Return the shape of whole objects: that of the definition, with the metadata of all objects."""
    shape = structural(text)
    if shape.type != "object":
        shape = Schema("object", keep_unknown=True)
    common = {"apiVersion": Schema("string"), "kind": Schema("string"), "metadata": schema_of("V1ObjectMeta")}
    own = shape.fields
    shape.load = lambda: {**own, **common}
    del shape.fields
    return shape


def structural(text: Mapping[str, Any]) -> Schema:
    """Return the shape that a structural schema describes."""
    kept = bool(text.get("x-kubernetes-preserve-unknown-fields"))
    schema = Schema(
        _type_of(text),
        nullable=bool(text.get("nullable")),
        keep_unknown=kept,
        required=frozenset(text.get("required") or ()),
        rules={name: text[name] for name in RULES if name in text},
    )
    properties = text.get("properties") or {}
    below = text.get("items") or text.get("additionalProperties")
    if isinstance(below, Mapping):
        schema.items = structural(below)
    elif below:
        schema.items = ANY
    schema.load = lambda: {name: structural(part) for name, part in properties.items()}
    schema.defaults = {name: part["default"] for name, part in properties.items() if "default" in part}
    if text.get("x-kubernetes-list-type") == "map":
        schema.merge_key = next(iter(text.get("x-kubernetes-list-map-keys") or ()), None)
    schema.merge_values = text.get("x-kubernetes-list-type") == "set"
    return schema


def _type_of(text: Mapping[str, Any]) -> Type:
    if text.get("x-kubernetes-int-or-string"):
        return "int-or-string"
    named = text.get("type")
    if named == "object" and text.get("additionalProperties"):
        return "map"
    types: Mapping[Any, Type] = {
        "object": "object",
        "array": "list",
        "string": "string",
        "integer": "integer",
        "number": "number",
        "boolean": "boolean",
    }
    return types.get(named, "any")
