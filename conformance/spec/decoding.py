"""Readers of the values in a mig-parted configuration, as strict as the Go program that it is written for.

Each raises ConfigurationError where Go's JSON decoder would refuse the value, with its words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Value = TypeVar("Value")


class ConfigurationError(ValueError):
    """mig-parted refuses the file, or the name that was to be selected from it; the message says why."""


def refuse_others(fields: Mapping[str, object], *known: str) -> None:
    """Refuse fields that the format does not have."""
    for name in fields:
        if name not in known:
            raise ConfigurationError(f"unexpected field: {name}")


def mapping(value: object, go_type: str) -> dict[str, Any]:
    """Read a mapping with its keys as the text they have in JSON; null is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _mismatch(value, go_type)
    return {key if isinstance(key, str) else str(key).lower(): item for key, item in value.items()}


def sequence(value: object, go_type: str) -> list[object]:
    """Read a list."""
    if not isinstance(value, list):
        raise _mismatch(value, go_type)
    return value


def text_or_list(value: object, read: Callable[[object], Value], go_type: str) -> list[Value]:
    """Read the items of a list where a text would do as well; the refusal names both."""
    try:
        return [read(item) for item in sequence(value, go_type)]
    except ConfigurationError as error:
        raise ConfigurationError(f"({_mismatch(value, 'string')}, {error})") from error


def string(value: object) -> str:
    """Read a text."""
    if not isinstance(value, str):
        raise _mismatch(value, "string")
    return value


def integer(value: object) -> int:
    """Read a whole number; true and false are none."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise _mismatch(value, "int")
    return value


def boolean(value: object) -> bool:
    """Read a truth value; null is false, as Go's decoder leaves the field alone."""
    if value is None or isinstance(value, bool):
        return bool(value)
    raise _mismatch(value, "bool")


def _mismatch(value: object, go_type: str) -> ConfigurationError:
    return ConfigurationError(f"json: cannot unmarshal {_kind(value)} into Go value of type {go_type}")


def _kind(value: object) -> str:
    """Name the type of a JSON value as Go does."""
    kinds: dict[type, str] = {bool: "bool", int: "number", float: "number", str: "string", list: "array"}
    return kinds.get(type(value), "object")
