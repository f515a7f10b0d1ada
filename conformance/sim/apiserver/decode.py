"""Reading a client's object against its shape: types, unknown fields, nulls, defaults and required fields.

What has not changed since the last stored version (the same Python object) was read then and is passed over, so that
a patch costs what it changes and not what the object holds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from conformance.sim.apiserver.errors import Cause, required
from conformance.sim.apiserver.quantity import canonical
from conformance.sim.apiserver.rules import breaches
from conformance.sim.apiserver.schema import Schema, Type
from conformance.sim.apiserver.times import stored_micro_time, stored_time


@dataclass(frozen=True)
class Path:
    """Where a value stands in its object; written out only when a message needs it."""

    above: Path | None
    step: str

    def __str__(self) -> str:
        if self.above is None:
            return self.step
        return f"{self.above}{self.step}" if self.step.startswith("[") else f"{self.above}.{self.step}".lstrip(".")


ROOT = Path(None, "")


@dataclass(frozen=True)
class Mistyped:
    """A value that is not of the type of its field."""

    field: str
    found: str
    wanted: Type


@dataclass
class Reading:
    """What came to light while one object was read.

    Attributes:
        mistyped: Values of a wrong type.
        unknown: Paths of fields that the shape does not name and that were dropped.
        broken: Rules that the object breaks.
    """

    mistyped: list[Mistyped] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    broken: list[Cause] = field(default_factory=list)

    def read(self, value: Any, schema: Schema, old: Any = None, path: Path = ROOT) -> Any:
        """Return `value` as it is to be stored, noting what is wrong with it.

        Args:
            value: The value as the client sent it.
            schema: Its shape.
            old: The value stored before at the same place, None where there was none.
            path: Where the value stands in its object.
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
            self.broken += breaches(result, schema.rules, str(path))
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
        """Read a string that has one stored form; a number is a quantity too."""
        if schema.type == "quantity" and _is_number(value):
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


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_integer(value: Any) -> bool:
    return _is_number(value) and float(value).is_integer()


_FITS: Mapping[Type, Callable[[Any], bool]] = {
    "string": lambda value: isinstance(value, str),
    "boolean": lambda value: isinstance(value, bool),
    "integer": _is_integer,
    "number": _is_number,
    "int-or-string": lambda value: isinstance(value, str) or _is_integer(value),
    "any": lambda _: True,
}
"""Types whose values are stored as they come, with the test for them."""
_STORED_FORM: Mapping[Type, Callable[[str], str]] = {
    "quantity": canonical,
    "time": stored_time,
    "micro-time": stored_micro_time,
}


def _name_of_type(value: Any) -> str:
    """Return what JSON calls the type of `value`."""
    names: Mapping[type, str] = {bool: "boolean", str: "string", list: "array", dict: "object", type(None): "null"}
    return names.get(type(value), "number")
