"""Releases, versions and requirements: complete tables, and clear errors."""

from __future__ import annotations

import pytest

from conformance.spec.releases import (
    DEFAULT_RELEASE,
    UnknownReleaseError,
    VersionError,
    at_least,
    find_release,
    releases,
)
from conformance.spec.requirements import REQUIREMENTS


@pytest.mark.parametrize(
    ("name", "mig_manager", "device_plugin"),
    [
        ("v24.9.2", "v0.10.0", "v0.17.0"),
        ("v25.3.4", "v0.12.3", "v0.17.4"),
        ("v25.10.1", "v0.13.1", "v0.18.1"),
        ("v26.3.1", "v0.14.0", "v0.19.0"),
        ("v26.3.3", "v0.14.2", "v0.19.3"),
        ("v26.7.0", "v0.15.0", "v0.20.0"),
        ("main", "v0.15.1-484", "v0.20.0"),
    ],
)
def test_components_of_a_release(name: str, mig_manager: str, device_plugin: str) -> None:
    """Source: NVIDIA/gpu-operator, deployments/gpu-operator/values.yaml at each tag; `main` is ours."""
    release = find_release(name)

    assert (release.name, release.mig_manager, release.device_plugin) == (name, mig_manager, device_plugin)


def test_all_versions_of_the_default_release_are_confirmed() -> None:
    assert find_release(DEFAULT_RELEASE).unconfirmed == frozenset()


def test_an_unknown_release_is_rejected_with_the_known_names() -> None:
    with pytest.raises(UnknownReleaseError) as refused:
        find_release("v1.0.0")

    assert all(name in str(refused.value) for name in releases())


@pytest.mark.parametrize(
    ("version", "wanted", "expected"),
    [
        ("v0.15.0", "v0.15.0", True),
        ("v0.15.0", "v0.14.9", True),
        ("v0.9.0", "v0.10.0", False),
        ("v0.15.1-484", "v0.15.1", True),
        ("0.13.1-ubi9", "v0.13.0", True),
        ("v0.12.3", "v0.13.0", False),
    ],
)
def test_versions_compare_as_numbers(version: str, wanted: str, expected: bool) -> None:
    assert at_least(version, wanted) is expected


@pytest.mark.parametrize("tag", ["latest", "v0.15", "sha256:0123", ""])
def test_a_tag_without_three_numbers_is_not_a_version(tag: str) -> None:
    with pytest.raises(VersionError, match="not a version tag"):
        at_least(tag, "v0.13.0")


def test_requirements_are_complete_and_in_order() -> None:
    assert list(REQUIREMENTS) == [f"D-{number:02}" for number in range(1, 29)]


def test_the_core_is_what_a_healthy_cluster_shows() -> None:
    core = {row.id for row in REQUIREMENTS.values() if row.level == "core"}

    assert core == {f"D-{number:02}" for number in (1, 2, 4, 5, 6, 7, 9, 15, 18, 19, 20, 21, 26)}
    assert {row.level for row in REQUIREMENTS.values()} == {"core", "extended"}
