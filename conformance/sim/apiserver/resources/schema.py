"""Schemas of objects: fields, types, defaults, merging of lists, and OpenAPI validation of values.

Built-in types are read from the models of the official client; `schema.yaml` adds what the models do not contain. The
validation rules are those that Kubernetes accepts in a structural schema, without CEL.

Source for the rules: k8s.io/apiextensions-apiserver pkg/apiserver/validation v0.36.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any, Literal

from conformance.sim.apiserver.errors import Cause, invalid, unsupported
from conformance.sim.apiserver.resources.models import read_model
from conformance.spec.package_data import read_yaml

Type = Literal[
    "object", "map", "list", "string", "integer", "number", "boolean", "any", "int-or-string", "quantity", "time",
    "micro-time",
]  # fmt: skip
_SCALARS: Mapping[str, Type] = {
    "str": "string",
    "int": "integer",
    "float": "number",
    "bool": "boolean",
    "datetime": "time",
    "bytes": "string",
    "object": "any",
}
_ZERO: Mapping[str, Any] = {"integer": 0, "boolean": False, "string": "", "number": 0}
RULES = (
    "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
    "pattern", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties",
)  # fmt: skip
"""Keywords that `rule_violations` checks; other keywords describe the structure or document it."""


@dataclass
class Schema:
    """The schema of one value.

    Attributes:
        type: Type of the value; `any` accepts everything.
        items: Schema of each element of a list or each value of a map.
        required: Required fields of an object.
        defaults: Default values of fields.
        zeros: Fields that a Go server writes even if nobody set them, with the value that it writes.
        omitted: Fields that are left out if they are empty (`omitempty` in Go).
        keep_unknown: Whether unknown fields are kept.
        nullable: Whether null is a value rather than the same as absent.
        merge_key: Field that identifies the elements of a list in patches; None for an atomic list.
        merge_values: Whether a list of scalars is a set, to which a strategic merge patch adds.
        rules: Validation rules of a custom resource, as in its `openAPIV3Schema` (`enum`, `minimum`, ...).
        model: Name of the client's model; empty if it has none.
        load: Returns the fields of an object; called once, on first use.
    """

    type: Type
    items: Schema | None = None
    required: frozenset[str] = frozenset()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    zeros: dict[str, Any] = field(default_factory=dict)
    omitted: frozenset[str] = frozenset()
    keep_unknown: bool = False
    nullable: bool = False
    merge_key: str | None = None
    merge_values: bool = False
    rules: Mapping[str, Any] = field(default_factory=dict)
    model: str = ""
    load: Callable[[], Mapping[str, Schema]] = field(default=dict, repr=False)

    @cached_property
    def fields(self) -> Mapping[str, Schema]:
        """Fields of an object by name; empty for all other types."""
        return self.load()

    def below(self, name: str) -> Schema:
        """Return the schema of field or key `name`; `ANY` if it is unknown."""
        return self.fields.get(name) or self.items or ANY


ANY = Schema("any", keep_unknown=True)
"""The schema of a value of unknown structure."""


@cache
def facts() -> Mapping[str, Any]:
    """Return the content of `schema.yaml`."""
    loaded: Mapping[str, Any] = read_yaml("schema.yaml", __package__)
    return loaded


@cache
def schema_of(model: str) -> Schema:
    """Return the schema of the client's model with this name, such as `V1Pod`.

    Required fields of a status become zeros, as a Go server writes them; the client must set other required fields.
    """
    described = read_model(model)
    types, needed = described.types, described.required
    collections = {name for name, text in types.items() if text.startswith(("List[", "Dict["))}
    schema = Schema("object", model=model, defaults=facts()["defaults"].get(model, {}))
    schema.omitted = frozenset(collections - needed) | frozenset(facts()["omitted"].get(model, ()))
    schema.load = lambda: {name: _field(model, name, text) for name, text in types.items()}
    if model in facts()["written-as-zero"] or model.endswith("Status"):
        schema.zeros = {name: _ZERO[_SCALARS[types[name]]] for name in needed if _SCALARS.get(types[name]) in _ZERO}
        schema.zeros |= facts()["zeros"].get(model, {})
    else:
        schema.required = needed
    return schema


def _field(model: str, name: str, text: str) -> Schema:
    special = facts()["types"].get(f"{model}.{name}") or facts()["types"].get(f"*.{name}")
    schema = _parse(text, special)
    merge = facts()["merge"].get(f"{model}.{name}")
    if merge is not None:
        schema.merge_key, schema.merge_values = merge or None, not merge
    return schema


def _parse(text: str, special: Type | None) -> Schema:
    """Return the schema for a type such as `List[V1Container]`; `special` overrides the type of its scalars."""
    if text.startswith("List["):
        return Schema("list", items=_parse(text[len("List[") : -1], special))
    if text.startswith("Dict[str, "):
        return Schema("map", items=_parse(text[len("Dict[str, ") : -1], special))
    if text in _SCALARS:
        return Schema(special or _SCALARS[text])
    return schema_of(text)


def is_number(value: Any) -> bool:
    """Return whether a JSON value is a number; a boolean is not."""
    return isinstance(value, int | float) and not isinstance(value, bool)


_LIMITS: Mapping[str, tuple[Callable[[Any], bool], Callable[[Any, Any], bool], str]] = {
    "minimum": (is_number, lambda value, limit: value >= limit, "should be greater than or equal to {}"),
    "maximum": (is_number, lambda value, limit: value <= limit, "should be less than or equal to {}"),
    "multipleOf": (is_number, lambda value, limit: value % limit == 0, "should be a multiple of {}"),
    "minLength": (lambda v: isinstance(v, str), lambda v, limit: len(v) >= limit, "should be at least {} chars long"),
    "maxLength": (lambda v: isinstance(v, str), lambda v, limit: len(v) <= limit, "should be at most {} chars long"),
    "pattern": (lambda v: isinstance(v, str), lambda v, text: bool(re.search(text, v)), "should match '{}'"),
    "minItems": (lambda v: isinstance(v, list), lambda v, limit: len(v) >= limit, "should have at least {} items"),
    "maxItems": (lambda v: isinstance(v, list), lambda v, limit: len(v) <= limit, "should have at most {} items"),
    "minProperties": (lambda v: isinstance(v, dict), lambda v, n: len(v) >= n, "should have at least {} properties"),
    "maxProperties": (lambda v: isinstance(v, dict), lambda v, n: len(v) <= n, "should have at most {} properties"),
}


def rule_violations(value: Any, rules: Mapping[str, Any], field: str) -> list[Cause]:
    """Return the validation errors of `value`, the value of `field`; rules for other types are ignored."""
    found = []
    for name, limit in rules.items():
        if name in _LIMITS:
            applies, keeps, text = _LIMITS[name]
            if applies(value) and not keeps(value, limit):
                found.append(invalid(field, value, f"{field} in body {text.format(limit)}"))
    if "enum" in rules and value not in rules["enum"]:
        found.append(unsupported(field, value, rules["enum"]))
    if rules.get("uniqueItems") and isinstance(value, list) and _repeats(value):
        found.append(invalid(field, value, f"{field} in body shouldn't contain duplicates"))
    if is_number(value):
        found += _exclusive(value, rules, field)
    return found


def _repeats(values: list[Any]) -> bool:
    return any(value in values[:number] for number, value in enumerate(values))


def _exclusive(value: float, rules: Mapping[str, Any], field: str) -> list[Cause]:
    """Return the error for a value equal to an exclusive limit (a flag beside the limit, as in OpenAPI v3.0)."""
    at_limit = (rules.get("exclusiveMinimum") and value == rules.get("minimum")) or (
        rules.get("exclusiveMaximum") and value == rules.get("maximum")
    )
    return [invalid(field, value, f"{field} in body should not be equal to {value}")] if at_limit else []
