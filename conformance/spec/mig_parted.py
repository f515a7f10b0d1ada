"""Parser of the mig-parted configuration file, format v1: accepts and rejects the same files as mig-parted.

Error messages contain what mig-parted prints after `while decoding JSON: `.
Source: NVIDIA/mig-parted v0.15.0, api/spec/v1/spec.go and pkg/types/mig_config.go; selection of a configuration:
cmd/nvidia-mig-parted/assert/assert.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from conformance.spec.decoding import (
    ConfigurationError,
    boolean,
    integer,
    mapping,
    reject_unknown,
    sequence,
    string,
    text_or_list,
)
from conformance.spec.go_yaml import YamlError, read_first_document
from conformance.spec.profile import Profile, ProfileError

__all__ = ["ALL_BALANCED", "ALL_DISABLED", "ALL_ENABLED", "ConfigurationError", "Configurations", "Entry", "parse"]

VERSION: Final = "v1"
ALL_DISABLED: Final = "all-disabled"
ALL_ENABLED: Final = "all-enabled"
ALL_BALANCED: Final = "all-balanced"
_EVERY_GPU: Final = "all"
_FIELDS: Final = "map[string]json.RawMessage"


@dataclass(frozen=True)
class Entry:
    """One list item of a configuration: what it requests for the GPUs that it matches.

    Attributes:
        devices: NVML indices of the GPUs; None for all GPUs, an empty tuple for none.
        enabled: Wanted MIG mode.
        mig_devices: Profile name as written to the number of MIG devices; empty for no instances. Counts of 0 are kept:
            with one of them, mig-parted never considers the entry applied.
        device_filter: Filters `0x<device><vendor>`, from v0.15.0 optionally followed by `:0x<subsystem>`; empty for all
            GPUs. They are not validated: an invalid filter matches no GPU.
    """

    devices: tuple[int, ...] | None
    enabled: bool
    mig_devices: Mapping[str, int]
    device_filter: tuple[str, ...] = ()


@dataclass(frozen=True)
class Configurations:
    """A parsed file.

    Attributes:
        entries: Configuration name to its entries, in the order of the file; empty for an empty file.
    """

    entries: Mapping[str, tuple[Entry, ...]]

    def select(self, name: str | None) -> tuple[Entry, ...]:
        """Return the entries of a configuration.

        Args:
            name: Name of the configuration; None or empty selects the only one in the file.

        Raises:
            ConfigurationError: The name is unknown, or there is no name and the file does not have exactly one
                configuration.
        """
        if not name and len(self.entries) == 1:
            return next(iter(self.entries.values()))
        if not name and self.entries:
            raise ConfigurationError("missing required flag 'selected-config' when more than one config available")
        if name is None or name not in self.entries:
            raise ConfigurationError(f"selected mig-config not present: {name or ''}")
        return self.entries[name]


def parse(text: str) -> Configurations:
    """Parse the text of a file.

    If a key occurs twice, the last one wins. An empty file, or one with only a version, is valid and has no
    configurations.

    Raises:
        ConfigurationError: The file is invalid. mig-parted then uses none of its configurations.
    """
    try:
        content = read_first_document(text)
    except YamlError as error:
        raise ConfigurationError(f"error converting YAML to JSON: {error}") from error
    return Configurations(MappingProxyType({})) if content is None else _file(mapping(content, _FIELDS))


def _file(fields: dict[str, Any]) -> Configurations:
    if fields and "version" not in fields:
        raise ConfigurationError("unable to parse with missing 'version' field")
    version = string(fields.pop("version", ""))
    if version != VERSION:
        raise ConfigurationError(f"unknown version: {version}")
    reject_unknown(fields, "mig-configs")
    if "mig-configs" not in fields:
        return Configurations(MappingProxyType({}))
    configurations = mapping(fields["mig-configs"], "map[string]v1.MigConfigSpecSlice")
    if not configurations:
        raise ConfigurationError("at least one entry in 'mig-configs' is required")
    return Configurations(MappingProxyType({name: _entries(name, listed) for name, listed in configurations.items()}))


def _entries(name: str, listed: object) -> tuple[Entry, ...]:
    listed_entries = sequence([] if listed is None else listed, "v1.MigConfigSpecSlice")
    if not listed_entries:
        raise ConfigurationError(f"at least one entry in '{name}' is required")
    return tuple(_entry(mapping(item, _FIELDS)) for item in listed_entries)


def _entry(fields: dict[str, Any]) -> Entry:
    for required in ("devices", "mig-enabled"):
        if required not in fields:
            raise ConfigurationError(f"missing required field: {required}")
    reject_unknown(fields, "devices", "mig-enabled", "mig-devices", "device-filter")
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
    counts = {name: integer(count) for name, count in mapping(value, "types.MigConfig").items()}
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
        raise ConfigurationError(f"error validating values in 'mig-devices' field: invalid count for '{count}': <nil>")


def _device_filter(value: object) -> tuple[str, ...]:
    if not value and (value is None or isinstance(value, str)):
        return ()
    if isinstance(value, str):
        return (value,)
    return tuple(text_or_list(value, string, "[]string"))
