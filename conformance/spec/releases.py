"""Releases of the GPU Operator and the component versions that each installs; the table is in releases.yaml."""

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
    """The release is not in releases.yaml; the message lists the names that are."""


class VersionError(ValueError):
    """An image tag is not a version number, so the suite cannot choose expectations by it."""


@dataclass(frozen=True)
class Release:
    """Component versions of one operator release.

    Attributes:
        name: Tag of the operator, or `main` for its main branch.
        mig_manager: Tag of the image k8s-mig-manager.
        device_plugin: Tag of the image k8s-device-plugin, which also contains GPU Feature Discovery.
        driver: Tag of the driver image.
        toolkit: Tag of the container toolkit image.
        dcgm: Tag of the DCGM image.
        dcgm_exporter: Tag of the DCGM exporter image.
        fixes: Changes of the operator itself that alter what a cluster shows; releases.yaml explains each.
        unconfirmed: Fields without a source; only the simulated cluster uses their values.
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
        UnknownReleaseError: There is no such release; the message lists those that exist.
    """
    if (release := releases().get(name)) is None:
        raise UnknownReleaseError(f"unknown release {name}; there are: {', '.join(releases())}")
    return release


@cache
def releases() -> Mapping[str, Release]:
    """Return all releases by name, oldest first."""
    table = read_yaml("releases.yaml")["releases"]
    return MappingProxyType({name: _release(name, values) for name, values in table.items()})


def at_least(version: str, wanted: str) -> bool:
    """Return whether the tag `version` is `wanted` or newer: `v0.14.2` is at least `v0.14.0`.

    Only the three numbers are compared. A suffix such as `-ubi9` or `-rc.1` is ignored.

    Raises:
        VersionError: One of the tags is not a version number.
    """
    return _numbers(version) >= _numbers(wanted)


def _numbers(tag: str) -> tuple[int, ...]:
    if (found := _TAG.fullmatch(tag)) is None:
        raise VersionError(f"{tag!r} is not a version tag; expected v<major>.<minor>.<patch>")
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
"""Release of the simulated cluster by default. Expectations follow it if a component's tag is not a version."""
