"""Type checks for the values in a mig-parted configuration, as strict as mig-parted itself.

Each function raises ConfigurationError if Go's JSON decoder would reject the value, with the message of that decoder.
The decoder takes null for every type and then keeps the zero value of that type: `""`, 0 or false.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final, TypeVar

Value = TypeVar("Value")

_INT: Final = range(-(2**63), 2**63)
"""Values of Go's type `int`."""
_SMALLEST_PLAIN: Final = 1e-6
_LARGEST_PLAIN: Final = 1e21


class ConfigurationError(ValueError):
    """Invalid file or unknown configuration; the message says why, as mig-parted does."""


def reject_unknown(fields: Mapping[str, object], *known: str) -> None:
    """Reject fields that are not in `known`."""
    for name in fields:
        if name not in known:
            raise ConfigurationError(f"unexpected field: {name}")


def mapping(value: object, go_type: str) -> dict[str, Any]:
    """Return a copy of a mapping; null is an empty mapping."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _mismatch(value, go_type)
    return dict(value)


def sequence(value: object, go_type: str) -> list[object]:
    """Return a list; null is rejected."""
    if not isinstance(value, list):
        raise _mismatch(value, go_type)
    return value


def text_or_list(value: object, read: Callable[[object], Value], go_type: str) -> list[Value]:
    """Return the items of a list, each read with `read`.

    For fields that also accept a string: the error message names both types, as Go's does.
    """
    try:
        return [read(item) for item in sequence(value, go_type)]
    except ConfigurationError as error:
        raise ConfigurationError(f"({_mismatch(value, 'string')}, {error})") from error


def string(value: object) -> str:
    """Return a string; null is the empty string."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise _mismatch(value, "string")
    return value


def integer(value: object) -> int:
    """Return an integer; null is 0, and 7.0 is 7 because JSON has one type for all numbers."""
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _mismatch(value, "int")
    literal = _literal(value)
    if not literal.removeprefix("-").isdigit() or int(literal) not in _INT:
        raise ConfigurationError(f"json: cannot unmarshal number {literal} into Go value of type int")
    return int(literal)


def boolean(value: object) -> bool:
    """Return a boolean; null is False."""
    if value is None or isinstance(value, bool):
        return bool(value)
    raise _mismatch(value, "bool")


def _literal(number: float) -> str:
    """Return a number as Go writes it in JSON: with an exponent only if it is very large or very small."""
    if isinstance(number, int):
        return str(number)
    plain = number == 0 or _SMALLEST_PLAIN <= abs(number) < _LARGEST_PLAIN
    return f"{Decimal(repr(number)):f}".removesuffix(".0") if plain else repr(number)


def _mismatch(value: object, go_type: str) -> ConfigurationError:
    return ConfigurationError(f"json: cannot unmarshal {_kind(value)} into Go value of type {go_type}")


def _kind(value: object) -> str:
    """Return the name that Go's decoder has for the type of a JSON value."""
    kinds: dict[type, str] = {bool: "bool", int: "number", float: "number", str: "string", list: "array"}
    return kinds.get(type(value), "object")
