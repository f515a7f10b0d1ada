"""Rules of OpenAPI v3 that a custom resource's value has to keep, beyond its type.

The subset that Kubernetes accepts in a structural schema, without CEL. Source: k8s.io/apiextensions-apiserver
pkg/apiserver/validation v0.36.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from conformance.sim.apiserver.errors import Cause, invalid, unsupported

RULES = (
    "enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength", "maxLength",
    "pattern", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties",
)  # fmt: skip
"""Keywords that `breaches` knows; others in a schema describe its shape or its meaning for people."""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


_LIMITS: Mapping[str, tuple[Callable[[Any], bool], Callable[[Any, Any], bool], str]] = {
    "minimum": (_is_number, lambda value, limit: value >= limit, "should be greater than or equal to {}"),
    "maximum": (_is_number, lambda value, limit: value <= limit, "should be less than or equal to {}"),
    "multipleOf": (_is_number, lambda value, limit: value % limit == 0, "should be a multiple of {}"),
    "minLength": (lambda v: isinstance(v, str), lambda v, limit: len(v) >= limit, "should be at least {} chars long"),
    "maxLength": (lambda v: isinstance(v, str), lambda v, limit: len(v) <= limit, "should be at most {} chars long"),
    "pattern": (lambda v: isinstance(v, str), lambda v, text: bool(re.search(text, v)), "should match '{}'"),
    "minItems": (lambda v: isinstance(v, list), lambda v, limit: len(v) >= limit, "should have at least {} items"),
    "maxItems": (lambda v: isinstance(v, list), lambda v, limit: len(v) <= limit, "should have at most {} items"),
    "minProperties": (lambda v: isinstance(v, dict), lambda v, n: len(v) >= n, "should have at least {} properties"),
    "maxProperties": (lambda v: isinstance(v, dict), lambda v, n: len(v) <= n, "should have at most {} properties"),
}


def breaches(value: Any, rules: Mapping[str, Any], field: str) -> list[Cause]:
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
    if _is_number(value):
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
