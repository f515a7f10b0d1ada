"""Releases of the GPU Operator and the versions of the components that each ships; the table is releases.yaml."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any, Final

from conformance.spec.package_data import read_yaml

_TAG: Final = re.compile(r"v?(\d+)\.(\d+)\.(\d+)(?:[-+.].*)?")


class UnknownReleaseError(ValueError):
    """A release was asked for that the table does not have; the message lists the names it has."""


class VersionError(ValueError):
    """A tag is no version number, so that no expectation can be chosen by it."""


@dataclass(frozen=True)
class Release:
    """What one operator release installs.

    Attributes:
        name: Tag of the operator, or `main` for its branch.
        mig_manager: Tag of the image k8s-mig-manager.
        device_plugin: Tag of the image k8s-device-plugin, which also holds GPU Feature Discovery.
        driver: Tag of the driver image.
        toolkit: Tag of the container toolkit image.
        dcgm: Tag of the DCGM image.
        dcgm_exporter: Tag of the DCGM exporter image.
        fixes: Changes outside the components above that alter what a cluster shows; the table explains each.
        unconfirmed: Fields whose value no source of this project states; only a simulation uses them.
    """

    name: str
    mig_manager: str
    device_plugin: str
    driver: str
    toolkit: str
    dcgm: str
    dcgm_exporter: str
    fixes: frozenset[str]
    unconfirmed: frozenset[str]


def find_release(name: str) -> Release:
    """Return the release with that name.

    Raises:
        UnknownReleaseError: No such release; the message lists those that exist.
    """
    if (release := releases().get(name)) is None:
        raise UnknownReleaseError(f"no release {name}; there are: {', '.join(releases())}")
    return release


@cache
def releases() -> Mapping[str, Release]:
    """Return all releases by name, oldest first."""
    table = read_yaml("releases.yaml")["releases"]
    return MappingProxyType({name: _release(name, values) for name, values in table.items()})


def at_least(version: str, wanted: str) -> bool:
    """Tell whether tag `version` is `wanted` or newer: `v0.14.2` is at least `v0.14.0`.

    Only the three numbers count; what follows them (`-ubi9`, `-rc.1`) does not.

    Raises:
        VersionError: One of the two is no version number.
    """
    return _numbers(version) >= _numbers(wanted)


def _numbers(tag: str) -> tuple[int, ...]:
    if (found := _TAG.fullmatch(tag)) is None:
        raise VersionError(f"{tag!r} is no version tag; expected v<major>.<minor>.<patch>")
    return tuple(int(number) for number in found.groups())


def _release(name: str, values: dict[str, Any]) -> Release:
    rest = {key: value for key, value in values.items() if key not in ("fixes", "unconfirmed")}
    return Release(
        name=name,
        **rest,
        fixes=frozenset(values.get("fixes", ())),
        unconfirmed=frozenset(values.get("unconfirmed", ())),
    )


DEFAULT_RELEASE: Final = "v26.7.0"
