"""The section `sharing` of the configuration file: which resources are shared by several containers.

Source: NVIDIA/k8s-device-plugin v0.20.0, api/config/v1/replicas.go and sharing.go; documented in README.md,
"Shared Access to GPUs".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from conformance.spec import names
from conformance.spec.decoding import ConfigurationError, boolean, integer, mapping, sequence, string

_LONGEST_NAME: Final = 63
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_UUID: Final = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_DEVICE: Final = re.compile(rf"\d+(:\d+)?|(GPU|MIG)-{_UUID}|MIG-GPU-{_UUID}/\d+/\d+")
"""Index of a GPU or MIG device, or UUID of one."""
_NOT_A_SUBDOMAIN: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and "
    f"end with an alphanumeric character (e.g. 'example.com', regex used for validation is '{_SUBDOMAIN.pattern}')"
)
"""Source: kubernetes, apimachinery, pkg/util/validation (IsDNS1123Subdomain)."""


class ConfigFileError(ValueError):
    """The configuration file is invalid; the message is the last part of the log line."""


@dataclass(frozen=True)
class Shared:
    """One shared resource.

    Attributes:
        resource: Name before renaming.
        replicas: Number of replicas per device, 2 or more.
        rename: Name of the replicas; None for the same name.
    """

    resource: str
    replicas: int
    rename: str | None = None


@dataclass(frozen=True)
class Sharing:
    """The active sharing configuration; by default nothing is shared.

    Attributes:
        strategy: `none`, `time-slicing` or `mps`, the value of the label `sharing-strategy`.
        resources: The shared resources.
        one_at_most: Whether a request for more than one replica is rejected at admission.
        ignored: Fields of the file without effect, as (`rename` or `devices`, section).
    """

    strategy: str = "none"
    resources: tuple[Shared, ...] = ()
    one_at_most: bool = False
    ignored: tuple[tuple[str, str], ...] = ()

    def of(self, resource: str) -> Shared | None:
        """Return how `resource` is shared; None if it is not shared."""
        return next((shared for shared in self.resources if shared.resource == resource), None)


def read_sharing(section: Mapping[str, Any]) -> Sharing:
    """Parse the section `sharing`; `mps` takes precedence over `timeSlicing`. Their names may be in any case.

    Raises:
        ConfigFileError: Fewer than two replicas, no resources, or a malformed resource name.
    """
    by_name = {key.lower(): content for key, content in section.items()}
    # Go calls the decoder of `timeSlicing` for null as well; `mps` is a pointer, and null leaves it out.
    given = [way for way in ("timeSlicing", "mps") if way.lower() in by_name]
    read = [_read_way(way, by_name[way.lower()]) for way in given if (way, by_name[way.lower()]) != ("mps", None)]
    if not read:
        return Sharing()
    ignored = tuple(field for sharing in read for field in sharing.ignored)
    active = read[-1]
    return Sharing(active.strategy, active.resources, active.one_at_most, ignored)


def _read_way(way: str, content: object) -> Sharing:
    try:
        return _way(way, mapping(content, "map[string]json.RawMessage"))
    except ConfigurationError as error:
        # Go's decoder names the field of its own struct around what the program decodes by itself.
        text = str(error).replace("Go value", f"Go struct field Sharing.sharing.{way}")
        raise ConfigFileError(text) from error


def _way(way: str, content: Mapping[str, Any]) -> Sharing:
    rename_all = boolean(content.get("renameByDefault"))
    is_mps = way == "mps"
    one_at_most = content.get("failRequestsGreaterThanOne")
    entries = sequence(content.get("resources") or [], "[]v1.ReplicatedResource")
    if not entries:
        raise ConfigFileError("no resources specified")
    fields = [mapping(entry, "map[string]json.RawMessage") for entry in entries]
    return Sharing(
        strategy="mps" if is_mps else "time-slicing",
        resources=tuple(_read_entry(entry, rename_all) for entry in fields),
        one_at_most=is_mps if one_at_most is None else boolean(one_at_most),
        ignored=tuple((field, way) for field in _without_effect(fields, rename_all)),
    )


def _without_effect(entries: Sequence[Mapping[str, Any]], rename_all: bool) -> Iterator[str]:
    renamed = [entry for entry in entries if "rename" in entry]
    if any(not rename_all or entry["rename"] != _shared_name(_resource_name(entry["name"])) for entry in renamed):
        yield "rename"
    if any(entry.get("devices", "all") != "all" for entry in entries):
        yield "devices"


def _read_entry(entry: Mapping[str, Any], rename_all: bool) -> Shared:
    if "name" not in entry:
        raise ConfigFileError("no resource name specified")
    resource = _resource_name(string(entry["name"]))
    _check_devices(entry.get("devices", "all"))
    if "replicas" not in entry:
        raise ConfigFileError("no replicas specified")
    replicas = integer(entry["replicas"])
    if replicas < 2:
        raise ConfigFileError("number of replicas must be >= 2")
    if "rename" in entry:
        _resource_name(string(entry["rename"]))
    return Shared(resource, replicas, _shared_name(resource) if rename_all else None)


def _check_devices(devices: object) -> None:
    """Reject what is neither `all` nor a count nor a list of devices; the choice itself has no effect."""
    if isinstance(devices, str):
        if devices != "all":
            raise ConfigFileError(f"devices set as '{devices}' but the only valid string input is 'all'")
    elif isinstance(devices, list):
        for one in devices:
            if not (isinstance(one, int) or (isinstance(one, str) and _DEVICE.fullmatch(one))):
                raise ConfigFileError(f"unsupported type for device in devices list: {one}, string")
    elif not isinstance(devices, int) or isinstance(devices, bool):
        raise ConfigFileError(f"unrecognized type for devices spec: {json.dumps(devices)}")
    elif devices <= 0:
        raise ConfigFileError(f"devices set as '{devices}' but a count of devices must be > 0")


def _shared_name(resource: str) -> str:
    return f"{resource}.shared"


def _resource_name(text: str) -> str:
    name = text if text.startswith(names.PREFIX) else names.PREFIX + text
    if len(name) > _LONGEST_NAME:
        raise ConfigFileError(f"fully-qualified resource name must be {_LONGEST_NAME} characters or less: {name}")
    if not _SUBDOMAIN.fullmatch(name.removeprefix(names.PREFIX)):
        raise ConfigFileError(f"incorrect format for resource name '{name}': [{_NOT_A_SUBDOMAIN}]")
    return name
