"""The section `sharing` of the configuration file: which resources are shared by several containers.

Source: NVIDIA/k8s-device-plugin v0.20.0, api/config/v1/replicas.go and sharing.go; documented in README.md,
"Shared Access to GPUs".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from conformance.spec import names

_LONGEST_NAME: Final = 63
_SUBDOMAIN: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


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
    """Parse the section `sharing`; `mps` takes precedence over `timeSlicing`.

    Raises:
        ConfigFileError: Fewer than two replicas, no resources, or a malformed resource name.
    """
    sections = [(way, section[way]) for way in ("timeSlicing", "mps") if section.get(way) is not None]
    read = [_read_way(way, content) for way, content in sections]
    if not read:
        return Sharing()
    ignored = tuple(field for sharing in read for field in sharing.ignored)
    active = read[-1]
    return Sharing(active.strategy, active.resources, active.one_at_most, ignored)


def _read_way(way: str, content: Mapping[str, Any]) -> Sharing:
    entries = content.get("resources")
    if not entries:
        raise ConfigFileError("no resources specified")
    rename_all = bool(content.get("renameByDefault", False))
    shared = tuple(_read_entry(entry, rename_all) for entry in entries)
    is_mps = way == "mps"
    return Sharing(
        strategy="mps" if is_mps else "time-slicing",
        resources=shared,
        one_at_most=bool(content.get("failRequestsGreaterThanOne", is_mps)),
        ignored=tuple((field, way) for field in _without_effect(entries, rename_all)),
    )


def _without_effect(entries: Sequence[Mapping[str, Any]], rename_all: bool) -> Iterator[str]:
    renamed = [entry for entry in entries if "rename" in entry]
    if any(not rename_all or entry["rename"] != _shared_name(_resource_name(entry["name"])) for entry in renamed):
        yield "rename"
    if any(entry.get("devices", "all") != "all" for entry in entries):
        yield "devices"


def _read_entry(entry: Mapping[str, Any], rename_all: bool) -> Shared:
    for field, what in (("name", "resource name"), ("replicas", "replicas")):
        if field not in entry:
            raise ConfigFileError(f"no {what} specified")
    resource = _resource_name(entry["name"])
    replicas = entry["replicas"]
    if not isinstance(replicas, int) or replicas < 2:
        raise ConfigFileError("number of replicas must be >= 2")
    return Shared(resource, replicas, _shared_name(resource) if rename_all else None)


def _shared_name(resource: str) -> str:
    return f"{resource}.shared"


def _resource_name(text: str) -> str:
    name = text if text.startswith(names.PREFIX) else names.PREFIX + text
    if len(name) > _LONGEST_NAME:
        raise ConfigFileError(f"fully-qualified resource name must be {_LONGEST_NAME} characters or less: {name}")
    if not _SUBDOMAIN.fullmatch(name.removeprefix(names.PREFIX)):
        raise ConfigFileError(f"incorrect format for resource name '{name}'")
    return name
