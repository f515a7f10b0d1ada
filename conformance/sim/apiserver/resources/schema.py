"""The shape of objects: fields, types, defaults, how lists are merged, and the rules that single values keep.

Built-in types are read from the models of the official client; `schema.yaml` adds what those models do not say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib import resources as package_files
from typing import Any, Literal

import yaml

from conformance.sim.apiserver.errors import Cause, invalid, unsupported
from conformance.sim.apiserver.resources.models import read_model

Type = Literal[
    "object", "map", "list", "string", "integer", "number", "boolean", "any", "int-or-string", "quantity", "time",
    "micro-time",
]  # fmt: skip


@dataclass
class Schema:
    """The shape of one value.

    Attributes:
        type: What kind of value it is; `any` accepts everything.
        items: Shape of each element of a list or each value of a map.
        required: Fields that an object must have.
        defaults: Values of fields that are absent.
        zeros: Fields that a Go server writes even where nobody set them, with the value it writes.
        omitted: Fields that are left out where they hold nothing (an empty list or text, 0, false).
        keep_unknown: Whether fields that the shape does not name stay.
        nullable: Whether null is a value rather than the same as absent.
        merge_key: Field that tells the elements of a list apart in patches; None for a list that is one value.
        merge_values: Whether a list of plain values is a set, to which a strategic patch adds.
        rules: Further rules of a custom resource, as in its `openAPIV3Schema` (`enum`, `minimum`, ...).
        model: Name of the client's model; empty where there is none.
        load: Returns the fields of an object; called once, when they are first needed.
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
        """Return the shape of field or key `name`; `ANY` where nothing is known of it."""
        return self.fields.get(name) or self.items or ANY


ANY = Schema("any", keep_unknown=True)
"""The shape of a value that nothing is known of."""

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


@cache
def facts() -> Mapping[str, Any]:
    """Return what `schema.yaml` says about the fields of the client's models."""
    text = package_files.files(__package__).joinpath("schema.yaml").read_text(encoding="utf-8")
    loaded: Mapping[str, Any] = yaml.safe_load(text)
    return loaded


@cache
def schema_of(model: str) -> Schema:
    """Return the shape of the client's model with this name, such as `V1Pod`.

    Fields of a status that are required become zeros, as a Go server writes them; a required field elsewhere must be
    given by the client.
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
    """Return the shape that a type such as `List[V1Container]` stands for; `special` is the type of its scalars."""
    if text.startswith("List["):
        return Schema("list", items=_parse(text[len("List[") : -1], special))
    if text.startswith("Dict[str, "):
        return Schema("map", items=_parse(text[len("Dict[str, ") : -1], special))
    if text in _SCALARS:
        return Schema(special or _SCALARS[text])
    return schema_of(text)


RULES = (
    "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
    "pattern", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties",
)  # fmt: skip
"""Keywords that `rule_breaches` knows; others in a schema describe its shape or its meaning for people."""


def is_number(value: Any) -> bool:
    """Tell whether a JSON value is a number; a boolean is none."""
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


def rule_breaches(value: Any, rules: Mapping[str, Any], field: str) -> list[Cause]:
    """Return the rules that `value`, which stands at `field`, breaks; a rule for another type holds."""
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
    """Return the breach of a limit that is itself excluded (a flag beside the limit, as OpenAPI v3.0 has it)."""
    at_limit = (rules.get("exclusiveMinimum") and value == rules.get("minimum")) or (
        rules.get("exclusiveMaximum") and value == rules.get("maximum")
    )
    return [invalid(field, value, f"{field} in body should not be equal to {value}")] if at_limit else []
