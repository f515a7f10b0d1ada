"""Decoding a client's object against its schema: types, unknown fields, nulls, defaults, quantities and times.

Parts that are identical to the stored version (the same Python object) were decoded before and are skipped, so the cost
of a patch depends on what it changes, not on the size of the object.

Source for quantities: k8s.io/apimachinery pkg/api/resource/quantity.go v0.36.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import ROUND_CEILING, Context, Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from conformance.sim.apiserver.errors import Cause, required
from conformance.sim.apiserver.resources.schema import Schema, Type, is_number, rule_violations
from conformance.spec.times import api_micro_time, api_time

_FORM = re.compile(r"^([+-]?(?:\d+\.?\d*|\.\d+))(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?\d+))?$")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_NANO = Decimal("1e-9")
_EXACT = Context(prec=100)
_LARGEST_EXPONENT = 30
_SECONDS = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
_MICROSECONDS = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}(?:Z|[+-]\d\d:\d\d)$")


@lru_cache(maxsize=4096)
def value_of(text: str) -> Decimal:
    """Return the value of a quantity in its base unit; raises ValueError if `text` is not a quantity."""
    match = _FORM.match(text)
    if not match:
        raise ValueError("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
    number, suffix, exponent = match.groups()
    if abs(int(exponent or 0)) > _LARGEST_EXPONENT:
        raise ValueError(f"quantities must match a number that can be held, not one with the exponent {exponent}")
    if suffix in _BINARY:
        return _EXACT.multiply(Decimal(number), Decimal(1 << _BINARY[suffix]))
    return Decimal(number).scaleb(int(exponent) if exponent else _DECIMAL[suffix or ""])


@lru_cache(maxsize=4096)
def canonical(text: str) -> str:
    """Return the canonical form: an integer with the largest suffix of its family that needs no fraction.

    A quantity keeps its family (binary, decimal or exponent); a binary one below 1024 becomes plain decimal. Raises
    ValueError if `text` is not a quantity.
    """
    value = value_of(text).quantize(_NANO, ROUND_CEILING, _EXACT)
    suffix = _FORM.match(text)
    if suffix and (suffix[2] or "") in _BINARY and value == value.to_integral_value():
        return _binary(int(value))
    return _decimal(value, exponent_form=bool(suffix and suffix[3]))


def _binary(value: int) -> str:
    for name, bits in reversed(_BINARY.items()):
        if value and value % (1 << bits) == 0:
            return f"{value >> bits}{name}"
    return str(value)


def _decimal(value: Decimal, *, exponent_form: bool) -> str:
    for name, power in reversed(_DECIMAL.items()):
        scaled = _EXACT.scaleb(value, Decimal(-power))
        if value and scaled == scaled.to_integral_value():
            return f"{int(scaled)}" + (f"e{power}" if exponent_form and power else name)
    return "0"


def stored_time(text: str) -> str:
    """Return a client's `Time` in its stored form; raises ValueError if it is not a time."""
    return text if _SECONDS.match(text) else api_time(_moment(text))


def stored_micro_time(text: str) -> str:
    """Return a client's `MicroTime` in its stored form; raises ValueError unless it has six fractional digits."""
    if not _MICROSECONDS.match(text):
        raise ValueError(f"{text!r} does not have the form 2006-01-02T15:04:05.000000Z07:00")
    return api_micro_time(_moment(text))


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment


class Path(NamedTuple):
    """The path of a value in its object; formatted only when a message needs it."""

    above: Path | None
    step: str

    def __str__(self) -> str:
        if self.above is None:
            return self.step
        return f"{self.above}{self.step}" if self.step.startswith("[") else f"{self.above}.{self.step}".lstrip(".")


ROOT = Path(None, "")


@dataclass(frozen=True)
class Mistyped:
    """A value whose type does not match its field."""

    field: str
    found: str
    wanted: Type


@dataclass
class Reading:
    """Decodes one object and collects what is wrong with it.

    Attributes:
        mistyped: Values of the wrong type.
        unknown: Paths of unknown fields, which were dropped.
        broken: Validation errors.
    """

    mistyped: list[Mistyped] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    broken: list[Cause] = field(default_factory=list)

    def read(self, value: Any, schema: Schema, old: Any = None, path: Path = ROOT) -> Any:
        """Return `value` as it is to be stored, and record what is wrong with it.

        Args:
            value: The value as the client sent it.
            schema: Its schema.
            old: The stored value at the same place; None if there is none.
            path: Path of the value in its object.
        """
        if value is old:
            return value
        fits = _FITS.get(schema.type)
        if fits:
            result = value if fits(value) else self._wrong(value, schema, path)
        elif schema.type == "object":
            result = self._object(value, schema, old, path)
        elif schema.type == "map":
            result = self._map(value, schema, old, path)
        elif schema.type == "list":
            result = self._list(value, schema, old, path)
        else:
            result = self._formatted(value, schema, path)
        if schema.rules:
            self.broken += rule_violations(result, schema.rules, str(path))
        return result

    def _object(self, value: Any, schema: Schema, old: Any, path: Path) -> Any:
        if not isinstance(value, dict):
            return self._wrong(value, schema, path)
        fields = schema.fields
        before: Mapping[str, Any] = old if isinstance(old, dict) else {}
        result: dict[str, Any] = {}
        for name, item in value.items():
            shape = fields.get(name)
            if shape is None:
                if schema.keep_unknown:
                    result[name] = item
                else:
                    self.unknown.append(str(Path(path, name)))
            elif name in schema.omitted and not item:
                continue
            elif item is not None:
                result[name] = self.read(item, shape, before.get(name), Path(path, name))
            elif shape.nullable:
                result[name] = None
        for name, default in schema.defaults.items():
            if name not in result:
                result[name] = self.read(default, fields[name], None, Path(path, name))
        for name, zero in schema.zeros.items():
            result.setdefault(name, zero)
        self.broken += [required(str(Path(path, name))) for name in schema.required if name not in result]
        return result

    def _map(self, value: Any, schema: Schema, old: Any, path: Path) -> Any:
        if not isinstance(value, dict):
            return self._wrong(value, schema, path)
        before: Mapping[str, Any] = old if isinstance(old, dict) else {}
        shape = schema.below("")
        return {
            name: self.read(item, shape, before.get(name), Path(path, name))
            for name, item in value.items()
            if item is not None or shape.nullable
        }

    def _list(self, value: Any, schema: Schema, old: Any, path: Path) -> Any:
        if not isinstance(value, list):
            return self._wrong(value, schema, path)
        before: list[Any] = old if isinstance(old, list) else []
        known = {id(item) for item in before}
        shape = schema.below("")
        return [
            item if id(item) in known else self.read(item, shape, None, Path(path, f"[{number}]"))
            for number, item in enumerate(value)
        ]

    def _formatted(self, value: Any, schema: Schema, path: Path) -> Any:
        """Decode a string that has a canonical form; a number is accepted as a quantity."""
        if schema.type == "quantity" and is_number(value):
            value = str(value)
        if not isinstance(value, str):
            return self._wrong(value, schema, path)
        try:
            return _STORED_FORM[schema.type](value)
        except ValueError:
            return self._wrong(value, schema, path)

    def _wrong(self, value: Any, schema: Schema, path: Path) -> Any:
        self.mistyped.append(Mistyped(str(path), _name_of_type(value), schema.type))
        return value


def _is_integer(value: Any) -> bool:
    return is_number(value) and float(value).is_integer()


_FITS: Mapping[Type, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": _is_integer,
    "number": is_number,
    "int-or-string": lambda value: isinstance(value, str) or _is_integer(value),
    "any": lambda _: True,
}
"""Types whose values are stored unchanged, each with a check of the value."""
_STORED_FORM: Mapping[Type, Callable[[str], str]] = {
    "quantity": canonical,
    "time": stored_time,
    "micro-time": stored_micro_time,
}


def _name_of_type(value: Any) -> str:
    """Return the JSON name of the type of `value`."""
    names: Mapping[type, str] = {bool: "boolean", str: "string", list: "array", dict: "object", type(None): "null"}
    return names.get(type(value), "number")
