"""What users apply: every file is read, and what it names must exist."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import jsonpatch
import pytest
import yaml

from conformance.spec.mig_parted import Entry, parse
from conformance.spec.models import board_names, find_board
from conformance.spec.names import CONFIG_KEY, GPU_RESOURCE, MIG_RESOURCE_PREFIX, Strategy
from conformance.spec.releases import DEFAULT_RELEASE
from tests.manifests.packing import fits

FOLDER: Final = Path(__file__).parents[2] / "manifests"
FILES: Final = sorted(FOLDER.glob("*.yaml"))
VALUES: Final = sorted(FOLDER.glob("values-*.yaml"))
PATCH: Final = FOLDER / "strategy-patch.yaml"
OBJECTS: Final = [file for file in FILES if file not in VALUES and file != PATCH]
SMOKE: Final = {"smoke-single": GPU_RESOURCE, "smoke-mixed": MIG_RESOURCE_PREFIX + "1g.10gb"}
H100: Final = "h100-80gb-hbm3"
"""The GPU that the manifests are written for."""

KNOWN_VALUES: Final[dict[str, Any]] = {
    "mig": {"strategy": None},
    "migManager": {
        "enabled": None, "repository": None, "image": None, "version": None, "imagePullPolicy": None,
        "imagePullSecrets": None, "env": None, "resources": None,
        "config": {"default": None, "create": None, "name": None, "data": None},
        "gpuClientsConfig": {"name": None},
    },
}  # fmt: skip
"""Helm values that speak of MIG; None ends a path. Source: gpu-operator v26.7.0, the chart's values.yaml."""


def read(file: Path) -> list[Any]:
    return list(yaml.safe_load_all(file.read_text(encoding="utf-8")))


def the_only(file: Path) -> Any:
    (content,) = read(file)
    return content


def pod(stem: str) -> Any:
    return the_only(FOLDER / f"{stem}.yaml")


def containers(pod: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]


def named(file: Path) -> str:
    return file.stem


PODS: Final = [
    pytest.param(content, id=file.stem) for file in OBJECTS for content in read(file) if content["kind"] == "Pod"
]


@pytest.mark.parametrize("file", FILES, ids=named)
def test_a_file_begins_with_what_it_is_for_and_names_files_and_releases_that_exist(file: Path) -> None:
    text = file.read_text(encoding="utf-8")

    assert text.startswith("# ")
    assert {name for name in re.findall(r"manifests/([\w.-]+\.yaml)", text) if not (FOLDER / name).exists()} == set()
    assert set(re.findall(r"--version (v[\d.]+)", text)) <= {DEFAULT_RELEASE}


@pytest.mark.parametrize("file", OBJECTS, ids=named)
def test_an_object_has_kind_version_and_name(file: Path) -> None:
    for content in read(file):
        assert content["apiVersion"]
        assert content["kind"]
        assert re.fullmatch(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?", content["metadata"]["name"])


def test_there_are_no_other_files() -> None:
    """Those in folders, and the list of images, are tested in modules of their own."""
    assert [file for file in sorted(FOLDER.iterdir()) if file.is_file() and file.suffix != ".txt"] == FILES


# Pods ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("pod", PODS)
def test_pods_have_no_privilege_and_end_by_themselves(pod: Any) -> None:
    spec = pod["spec"]

    assert spec["restartPolicy"] == "Never"
    assert not {"hostNetwork", "hostPID", "hostIPC", "serviceAccountName", "nodeName"} & spec.keys()
    assert not [volume for volume in spec.get("volumes", ()) if "hostPath" in volume]
    for container in containers(pod):
        security = container.get("securityContext", {})
        assert not security.get("privileged")
        assert not security.get("capabilities", {}).get("add")
        assert not container.get("ports")


def test_smoke_pods_see_no_gpu_that_they_did_not_ask_for() -> None:
    smoke = [pod(stem) for stem in SMOKE]

    assert not [each for each in smoke if "runtimeClassName" in each["spec"]]
    assert "NVIDIA_VISIBLE_DEVICES" not in str(smoke)


@pytest.mark.parametrize(("stem", "resource"), SMOKE.items())
def test_a_smoke_pod_asks_for_one_device_and_lists_it(stem: str, resource: str) -> None:
    (container,) = containers(pod(stem))

    assert container["resources"]["limits"] == {resource: 1}
    assert container["command"] == ["nvidia-smi", "-L"]
    assert pod(stem)["metadata"]["name"] == f"mig-{stem}"


def test_resources_in_manifests_are_profiles_of_the_gpu() -> None:
    text = "".join(file.read_text(encoding="utf-8") for file in OBJECTS)
    model, _ = find_board(H100)

    asked = {MIG_RESOURCE_PREFIX + name for name in re.findall(rf"{MIG_RESOURCE_PREFIX}([\w.]+):", text)}
    assert asked
    assert asked <= {row.profile.resource for row in model.profiles}


# The custom configuration --------------------------------------------------------------------------------------------


@pytest.fixture
def custom() -> dict[str, tuple[Entry, ...]]:
    return dict(parse(pod("custom-mig-config")["data"][CONFIG_KEY]).entries)


def test_the_custom_configuration_is_four_small_slices_and_a_large_one(custom: dict[str, tuple[Entry, ...]]) -> None:
    (entry,) = custom["four-1g.10gb-one-3g.40gb"]

    assert (entry.devices, entry.enabled) == (None, True)
    assert dict(entry.mig_devices) == {"1g.10gb": 4, "3g.40gb": 1}


def test_the_custom_configuration_fits_its_gpu(custom: dict[str, tuple[Entry, ...]]) -> None:
    model, _ = find_board(H100)

    for entries in custom.values():
        for entry in entries:
            assert fits(model, entry.mig_devices)


@pytest.mark.parametrize(
    ("counts", "fit"),
    [
        ({"1g.10gb": 4, "3g.40gb": 1}, True),
        ({"3g.40gb": 1, "1g.10gb": 4}, True),
        ({"1g.10gb": 7}, True),
        ({"1g.10gb": 5, "3g.40gb": 1}, False),
        ({"4g.40gb": 1, "3g.40gb": 1}, True),
        ({"4g.40gb": 2}, False),
        ({"1g.20gb": 4}, True),
        ({"7g.80gb": 1, "1g.10gb": 1}, False),
    ],
)
def test_what_fits_on_an_h100(counts: dict[str, int], fit: bool) -> None:
    """Placements as a real H100 reports them: the check above is not vacuous."""
    model, _ = find_board(H100)

    assert fits(model, counts) is fit


@pytest.mark.parametrize("board", board_names())
def test_every_profile_fits_as_often_as_its_model_says(board: str) -> None:
    model, _ = find_board(board)

    for row in model.profiles:
        assert fits(model, {row.name: row.max_instances})
    if model.all_balanced:
        assert fits(model, model.all_balanced)


# The operator --------------------------------------------------------------------------------------------------------


def unknown(values: Mapping[str, Any], known: Mapping[str, Any], path: str = "") -> list[str]:
    found = []
    for name, value in values.items():
        if name not in known:
            found.append(path + name)
        elif known[name] is not None:
            found += unknown(value, known[name], f"{path}{name}.")
    return found


@pytest.mark.parametrize("file", VALUES, ids=named)
def test_helm_values_have_keys_that_the_chart_knows(file: Path) -> None:
    values = the_only(file)

    assert unknown(values, KNOWN_VALUES) == []
    assert values["migManager"]["enabled"] is True
    assert values.get("mig", {}).get("strategy", "single") in set(Strategy)


@pytest.mark.parametrize("strategy", ["single", "mixed"])
def test_helm_values_of_a_strategy(strategy: str) -> None:
    assert the_only(FOLDER / f"values-{strategy}.yaml")["mig"] == {"strategy": strategy}


def test_helm_values_of_the_custom_configuration_name_it(custom: dict[str, tuple[Entry, ...]]) -> None:
    config = the_only(FOLDER / "values-custom-config.yaml")["migManager"]["config"]

    assert config["name"] == pod("custom-mig-config")["metadata"]["name"]
    assert config["default"] in custom


def test_a_reboot_is_asked_for_by_a_string() -> None:
    """A bare `true` is no value of an environment variable."""
    env = the_only(FOLDER / "values-with-reboot.yaml")["migManager"]["env"]

    assert env == [{"name": "WITH_REBOOT", "value": "true"}]


def test_the_strategy_patch_tests_the_value_that_it_replaces() -> None:
    patch = the_only(PATCH)
    policy = {"spec": {"mig": {"strategy": "single"}}}

    assert jsonpatch.apply_patch(policy, patch) == {"spec": {"mig": {"strategy": "mixed"}}}
    with pytest.raises(jsonpatch.JsonPatchTestFailed):
        jsonpatch.apply_patch({"spec": {"mig": {"strategy": "none"}}}, patch)
