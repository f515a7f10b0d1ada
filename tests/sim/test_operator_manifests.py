"""What the operator deploys for which ClusterPolicy."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.sim.operator.install import Installation, cluster_policy
from conformance.sim.operator.manifests import HASH_ANNOTATION, STATES, config_maps, daemon_sets
from conformance.spec.mig_parted import parse
from conformance.spec.releases import find_release

DEVICE_PLUGIN = "state-device-plugin"
STRATEGY_STATES = (
    "state-device-plugin",
    "gpu-feature-discovery",
    "state-mps-control-daemon",
    "state-operator-validation",
)


def policy(strategy: str = "single", release: str = "v26.7.0", **choices: Any) -> dict[str, Any]:
    made = cluster_policy(Installation(release=find_release(release), strategy=strategy, **choices))
    made["metadata"]["uid"] = "1234"
    return made


def rendered(chosen: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return daemon_sets(chosen, "gpu-operator")


def pod(daemon_set: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = daemon_set["spec"]["template"]["spec"]
    return spec


def env(container: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: item["value"] for item in container["env"] if "value" in item}


def hashes(made: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {state: item["metadata"]["annotations"][HASH_ANNOTATION] for state, item in made.items()}


def test_helm_defaults_deploy_all_states_but_dcgm() -> None:
    assert list(rendered(policy())) == [state for state in STATES if state != "state-dcgm"]


def test_every_daemon_set_can_be_selected_and_is_owned_by_the_policy() -> None:
    chosen = policy()
    chosen["spec"]["dcgm"]["enabled"] = True

    for state, made in rendered(chosen).items():
        labels = made["spec"]["template"]["metadata"]["labels"]
        assert made["metadata"]["name"] == STATES[state][0] == labels["app"]
        assert made["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert made["metadata"]["ownerReferences"][0]["uid"] == "1234"
        assert all(key.startswith("nvidia.com/") for key in pod(made)["nodeSelector"])


def test_images_are_those_of_the_release() -> None:
    made = rendered(policy(release="v26.3.3"))

    images = {state: pod(item)["containers"][0]["image"] for state, item in made.items()}
    assert images["state-mig-manager"] == "nvcr.io/nvidia/cloud-native/k8s-mig-manager:v0.14.2"
    assert images[DEVICE_PLUGIN] == images["gpu-feature-discovery"] == "nvcr.io/nvidia/k8s-device-plugin:v0.19.3"
    assert not any("$" in image for image in images.values())


def test_a_strategy_change_touches_exactly_four_daemon_sets() -> None:
    before, after = hashes(rendered(policy("single"))), hashes(rendered(policy("mixed")))

    assert {state for state in before if before[state] != after[state]} == set(STRATEGY_STATES)


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("none", {"MIG_STRATEGY": "none"}),
        ("single", {"MIG_STRATEGY": "single", "NVIDIA_MIG_MONITOR_DEVICES": "all"}),
        ("mixed", {"MIG_STRATEGY": "mixed", "NVIDIA_MIG_MONITOR_DEVICES": "all"}),
        ("", {"NVIDIA_MIG_MONITOR_DEVICES": "all"}),
    ],
)
def test_how_the_strategy_reaches_the_plugin(strategy: str, expected: dict[str, str]) -> None:
    made = rendered(policy(strategy))

    found = env(pod(made[DEVICE_PLUGIN])["containers"][0])
    assert {key: found[key] for key in ("MIG_STRATEGY", "NVIDIA_MIG_MONITOR_DEVICES") if key in found} == expected
    validation = pod(made["state-operator-validation"])["initContainers"][-1]
    assert env(validation)["MIG_STRATEGY"] == strategy


def test_from_v26_3_mig_manager_has_the_shipped_file_as_fallback_only() -> None:
    spec = pod(rendered(policy(release="v26.3.1"))["state-mig-manager"])

    assert env(spec["containers"][0])["DEFAULT_CONFIG_FILE"] == "/mig-parted-config/config-default.yaml"
    assert "CONFIG_FILE" not in env(spec["containers"][0])
    assert volume(spec)["items"] == [{"key": "config.yaml", "path": "config-default.yaml"}]


def test_before_v26_3_mig_manager_reads_the_shipped_file() -> None:
    spec = pod(rendered(policy(release="v25.10.1"))["state-mig-manager"])

    assert env(spec["containers"][0])["CONFIG_FILE"] == "/mig-parted-config/config.yaml"
    assert volume(spec) == {"name": "default-mig-parted-config"}


def test_a_custom_config_map_replaces_the_generated_configuration() -> None:
    spec = pod(rendered(policy(custom_configuration="version: v1"))["state-mig-manager"])

    assert env(spec["containers"][0])["CONFIG_FILE"] == "/mig-parted-config/config.yaml"
    assert volume(spec) == {"name": "custom-mig-config"}


def test_with_reboot_reaches_mig_manager() -> None:
    spec = pod(rendered(policy(with_reboot=True))["state-mig-manager"])

    assert env(spec["containers"][0])["WITH_REBOOT"] == "true"


@pytest.mark.parametrize(
    ("release", "cdi", "ways", "prefix"),
    [
        ("v25.3.4", None, "envvar", None),
        ("v25.3.4", False, "envvar", None),
        ("v25.3.4", True, "envvar,cdi-annotations", "nvidia.cdi.k8s.io/"),
        ("v25.10.1", None, "cdi-annotations,cdi-cri", "cdi.k8s.io/"),
        ("v26.7.0", None, "cdi-annotations,cdi-cri", "cdi.k8s.io/"),
        ("v26.7.0", False, "envvar", None),
    ],
)
def test_cdi_is_on_by_default_from_v25_10(release: str, cdi: bool | None, ways: str, prefix: str | None) -> None:
    found = env(pod(rendered(policy(release=release, cdi=cdi))[DEVICE_PLUGIN])["containers"][0])

    assert (found["DEVICE_LIST_STRATEGY"], found.get("CDI_ANNOTATION_PREFIX")) == (ways, prefix)


@pytest.mark.parametrize(("release", "ways"), [("v25.3.4", "envvar"), ("v25.10.1", "cdi-annotations,cdi-cri")])
def test_a_policy_that_does_not_mention_cdi_has_the_operators_default(release: str, ways: str) -> None:
    chosen = policy(release=release)
    del chosen["spec"]["cdi"]

    assert env(pod(rendered(chosen)[DEVICE_PLUGIN])["containers"][0])["DEVICE_LIST_STRATEGY"] == ways


def test_update_strategies() -> None:
    made = rendered(policy())

    assert made["state-driver"]["spec"]["updateStrategy"] == {"type": "OnDelete"}
    assert made[DEVICE_PLUGIN]["spec"]["updateStrategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxUnavailable": 1},
    }


def test_the_shipped_configuration_is_a_mig_parted_file() -> None:
    (shipped,) = (item for item in config_maps("here") if item["metadata"]["name"] == "default-mig-parted-config")

    assert len(parse(shipped["data"]["config.yaml"]).entries) == 81


def volume(spec: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = next(item for item in spec["volumes"] if item["name"] == "mig-parted-config")["configMap"]
    return found
