"""Type checks for the values in a mig-parted configuration, as strict as mig-parted itself.

Each function raises ConfigurationError if Go's JSON decoder would reject the value, with the message of that decoder.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Value = TypeVar("Value")


class ConfigurationError(ValueError):
    """Invalid file or unknown configuration; the message says why, as mig-parted does."""


def reject_unknown(fields: Mapping[str, object], *known: str) -> None:
    """Reject fields that are not in `known`."""
    for name in fields:
        if name not in known:
            raise ConfigurationError(f"unexpected field: {name}")


def mapping(value: object, go_type: str) -> dict[str, Any]:
    """Return a mapping with its keys as strings, spelled as in JSON; null is an empty mapping."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _mismatch(value, go_type)
    return {key if isinstance(key, str) else str(key).lower(): item for key, item in value.items()}


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
    """Return a string; null is rejected."""
    if not isinstance(value, str):
        raise _mismatch(value, "string")
    return value


def integer(value: object) -> int:
    """Return an integer; true and false are rejected."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise _mismatch(value, "int")
    return value


def boolean(value: object) -> bool:
    """Return a boolean; null is False, because Go's decoder then keeps the field's zero value."""
    if value is None or isinstance(value, bool):
        return bool(value)
    raise _mismatch(value, "bool")


def _mismatch(value: object, go_type: str) -> ConfigurationError:
    return ConfigurationError(f"json: cannot unmarshal {_kind(value)} into Go value of type {go_type}")


def _kind(value: object) -> str:
    """Return the name that Go's decoder has for the type of a JSON value."""
    kinds: dict[type, str] = {bool: "bool", int: "number", float: "number", str: "string", list: "array"}
    return kinds.get(type(value), "object")
