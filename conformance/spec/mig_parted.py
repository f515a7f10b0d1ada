"""The mig-parted configuration, format v1: what mig-manager reads, with the same rules and the same refusals.

Source: NVIDIA/mig-parted v0.15.0, api/spec/v1/spec.go and pkg/types/mig_config.go; selection by a name is
cmd/nvidia-mig-parted/assert/assert.go. Messages hold what the real program says after `while decoding JSON: `.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import yaml

from conformance.spec.decoding import (
    ConfigurationError,
    boolean,
    integer,
    mapping,
    refuse_others,
    sequence,
    string,
    text_or_list,
)
from conformance.spec.profile import Profile, ProfileError

__all__ = ["ALL_BALANCED", "ALL_DISABLED", "ALL_ENABLED", "ConfigurationError", "Configurations", "Entry", "parse"]

VERSION: Final = "v1"
ALL_DISABLED: Final = "all-disabled"
ALL_ENABLED: Final = "all-enabled"
ALL_BALANCED: Final = "all-balanced"
_LOADER: Final = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml where PyYAML was built with it: its messages are those of the real program."""
_EVERY_GPU: Final = "all"
_FIELDS: Final = "map[string]json.RawMessage"


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
        """Return the entries of a configuration; no name (None or empty) means the only one of the file.

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
        content = yaml.load(text, _LOADER)  # noqa: S506 - both loaders are safe ones
    except yaml.YAMLError as error:
        raise ConfigurationError(f"error converting YAML to JSON: {_problem(error)}") from error
    if content is None:
        return Configurations(MappingProxyType({}))
    return _file(mapping(content, _FIELDS))


def _problem(error: yaml.YAMLError) -> str:
    """Say what is wrong and where as Go's port of libyaml does, which counts the lines of scanner errors from one."""
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return f"yaml: {error}"
    line = error.problem_mark.line + isinstance(error, yaml.scanner.ScannerError)
    return f"yaml: line {line}: {error.problem}" if line else f"yaml: {error.problem}"


def _file(fields: dict[str, Any]) -> Configurations:
    if fields and "version" not in fields:
        raise ConfigurationError("unable to parse with missing 'version' field")
    version = string(fields.pop("version", ""))
    if version != VERSION:
        raise ConfigurationError(f"unknown version: {version}")
    refuse_others(fields, "mig-configs")
    if "mig-configs" not in fields:
        return Configurations(MappingProxyType({}))
    configurations = mapping(fields["mig-configs"], _FIELDS)
    if not configurations:
        raise ConfigurationError("at least one entry in 'mig-configs' is required")
    return Configurations(MappingProxyType({name: _entries(name, listed) for name, listed in configurations.items()}))


def _entries(name: str, listed: object) -> tuple[Entry, ...]:
    listed_entries = sequence([] if listed is None else listed, "[]v1.MigConfigSpec")
    if not listed_entries:
        raise ConfigurationError(f"at least one entry in '{name}' is required")
    return tuple(_entry(mapping(item, _FIELDS)) for item in listed_entries)


def _entry(fields: dict[str, Any]) -> Entry:
    for required in ("devices", "mig-enabled"):
        if required not in fields:
            raise ConfigurationError(f"missing required field: {required}")
    refuse_others(fields, "devices", "mig-enabled", "mig-devices", "device-filter")
    enabled = boolean(fields["mig-enabled"])
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
    return tuple(text_or_list(value, integer, "[]int"))


def _mig_devices(value: object) -> dict[str, int]:
    counts = {name: integer(count) for name, count in mapping(value, "map[string]int").items()}
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
    return tuple(text_or_list(value, string, "[]string"))
