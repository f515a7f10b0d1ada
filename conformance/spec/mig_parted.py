"""The mig-parted configuration, format v1: what mig-manager reads, with the same rules and the same refusals.

Source: NVIDIA/mig-parted v0.15.0, api/spec/v1/spec.go and pkg/types/mig_config.go; selection by a name is
cmd/nvidia-mig-parted/assert/assert.go. Messages hold what the real program says after `while decoding JSON: `.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeVar

import yaml

from conformance.spec.profile import Profile, ProfileError

Value = TypeVar("Value")

VERSION: Final = "v1"
ALL_DISABLED: Final = "all-disabled"
ALL_ENABLED: Final = "all-enabled"
ALL_BALANCED: Final = "all-balanced"
_EVERY_GPU: Final = "all"


class ConfigurationError(ValueError):
    """mig-parted refuses the file, or the name that was to be selected from it; the message says why."""


@dataclass(frozen=True)
class Entry:
    """What one list item of a configuration asks of the GPUs that it matches.

    Attributes:
        devices: Indices among the node's GPUs; None for all of them, an empty tuple for none.
        enabled: Wanted MIG mode.
        mig_devices: Profile name as written to the number of MIG devices. Empty with MIG on: no instances at all.
            A count of 0 is kept, since it keeps the entry from ever counting as applied.
        device_filter: `0x<device><vendor>`, from v0.15.0 on also `:0x<subsystem>`; empty for every GPU. Never
            validated: a filter that makes no sense matches nothing.
    """

    devices: tuple[int, ...] | None
    enabled: bool
    mig_devices: Mapping[str, int]
    device_filter: tuple[str, ...] = ()


@dataclass(frozen=True)
class Configurations:
    """A parsed file: configuration name to its entries, in the order of the file; empty for an empty file."""

    entries: Mapping[str, tuple[Entry, ...]]

    def select(self, name: str | None) -> tuple[Entry, ...]:
        """The entries of a configuration; no name (None or empty) means the only configuration of the file.

        Raises:
            ConfigurationError: No configuration of that name, or no name and not exactly one configuration.
        """
        if name:
            if name not in self.entries:
                raise ConfigurationError(f"selected mig-config not present: {name}")
            return self.entries[name]
        if len(self.entries) != 1:
            raise ConfigurationError("missing required flag 'selected-config' when more than one config available")
        return next(iter(self.entries.values()))


def parse(text: str) -> Configurations:
    """Read a file; of keys that are given twice the last one counts.

    An empty file and one with nothing but its version hold no configurations, which is no error.

    Raises:
        ConfigurationError: The file is refused; then none of its configurations can be used.
    """
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigurationError(f"error converting YAML to JSON: {error}") from error
    if content is None:
        return Configurations(MappingProxyType({}))
    return _file(_mapping(content, "file"))


def _file(fields: dict[str, Any]) -> Configurations:
    if fields and "version" not in fields:
        raise ConfigurationError("unable to parse with missing 'version' field")
    version = fields.pop("version", "")
    if not isinstance(version, str):
        raise ConfigurationError(f"version is no string: {version!r}")
    if version != VERSION:
        raise ConfigurationError(f"unknown version: {version}")
    _refuse_others(fields, "mig-configs")
    if "mig-configs" not in fields:
        return Configurations(MappingProxyType({}))
    configurations = _mapping(fields["mig-configs"], "mig-configs")
    if not configurations:
        raise ConfigurationError("at least one entry in 'mig-configs' is required")
    return Configurations(MappingProxyType({name: _entries(name, listed) for name, listed in configurations.items()}))


def _entries(name: str, listed: object) -> tuple[Entry, ...]:
    items = _list(listed or [], name)
    if not items:
        raise ConfigurationError(f"at least one entry in '{name}' is required")
    return tuple(_entry(_mapping(item, name)) for item in items)


def _entry(fields: dict[str, Any]) -> Entry:
    for required in ("devices", "mig-enabled"):
        if required not in fields:
            raise ConfigurationError(f"missing required field: {required}")
    _refuse_others(fields, "devices", "mig-enabled", "mig-devices", "device-filter")
    enabled = _boolean(fields["mig-enabled"])
    counts = fields.get("mig-devices")
    if enabled and counts is None:
        raise ConfigurationError("missing required field 'mig-devices' when 'mig-enabled' is true")
    entry = Entry(
        devices=_devices(fields["devices"]),
        enabled=enabled,
        mig_devices=MappingProxyType(_mig_devices(counts)),
        device_filter=_device_filter(fields.get("device-filter")),
    )
    if entry.mig_devices and not enabled:
        raise ConfigurationError("MIG devices included when 'mig-enabled' is false")
    return entry


def _devices(value: object) -> tuple[int, ...] | None:
    if value == _EVERY_GPU:
        return None
    if value is None or isinstance(value, str):
        raise ConfigurationError(f"invalid string input for 'devices': {value or ''}")
    return tuple(_items(value, "devices", _integer))


def _mig_devices(value: object) -> dict[str, int]:
    counts = {name: _integer(count, name) for name, count in _mapping(value, "mig-devices").items()}
    for name, count in counts.items():
        _check_count(name, count)
    if counts and not any(counts.values()):
        raise ConfigurationError("error validating values in 'mig-devices' field: all counts for all MigProfiles are 0")
    return counts


def _check_count(name: str, count: int) -> None:
    try:
        Profile.parse(name)
    except ProfileError as error:
        raise ConfigurationError(
            f"error validating values in 'mig-devices' field: invalid format for '{name}': {error}"
        ) from error
    if count < 0:
        raise ConfigurationError(f"error validating values in 'mig-devices' field: invalid count for '{name}': {count}")


def _device_filter(value: object) -> tuple[str, ...]:
    if not value and (value is None or isinstance(value, str)):
        return ()
    if isinstance(value, str):
        return (value,)
    return tuple(_items(value, "device-filter", _string))


def _refuse_others(fields: Mapping[str, object], *known: str) -> None:
    for name in fields:
        if name not in known:
            raise ConfigurationError(f"unexpected field: {name}")


def _mapping(value: object, where: str) -> dict[str, Any]:
    """A mapping with its keys as the text they have in JSON; null is an empty one."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigurationError(f"cannot unmarshal {_kind(value)} into Go value of a map ({where})")
    return {key if isinstance(key, str) else str(key).lower(): item for key, item in value.items()}


def _list(value: object, where: str) -> list[object]:
    if not isinstance(value, list):
        raise ConfigurationError(f"cannot unmarshal {_kind(value)} into Go value of a list ({where})")
    return value


def _items(value: object, where: str, read: Callable[[object, str], Value]) -> list[Value]:
    return [read(item, where) for item in _list(value, where)]


def _string(value: object, where: str) -> str:
    if not isinstance(value, str):
        raise ConfigurationError(f"cannot unmarshal {_kind(value)} into Go value of type string ({where})")
    return value


def _integer(value: object, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ConfigurationError(f"cannot unmarshal {_kind(value)} into Go value of type int ({where})")
    return value


def _boolean(value: object) -> bool:
    """Null is false, as Go's decoder leaves the field alone."""
    if value is None or isinstance(value, bool):
        return bool(value)
    raise ConfigurationError(f"cannot unmarshal {_kind(value)} into Go value of type bool (mig-enabled)")


def _kind(value: object) -> str:
    """What Go calls the type of a JSON value."""
    kinds: dict[type, str] = {bool: "bool", int: "number", float: "number", str: "string", list: "array"}
    return kinds.get(type(value), "object")
