"""OpenShift, Sonobuoy, Argo CD and Flux: what their manifests add, and that they name what there is."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from conformance.delivery.archive import SONOBUOY_FOLDER
from conformance.spec.names import OPERATOR_NAMESPACE
from conformance.suite.options import DEFAULT_IMAGE
from conformance.suite.pods import FOLDER, make_pod
from tests.manifests.kustomize import DEPLOY, OVERLAYS, apply, built, job_spec, objects

ROOT: Final = Path(__file__).parents[2]
MANIFESTS: Final = ROOT / "manifests"
POD_MANIFESTS: Final = ROOT / "conformance" / "suite" / FOLDER
OPENSHIFT: Final = "nvidia-gpu-operator"
"""Namespace of the operator. Source: NVIDIA GPU Operator documentation, "GPU Operator on Red Hat OpenShift"."""

NONROOT: Final = "system:openshift:scc:nonroot-v2"
"""The ClusterRole that OpenShift has for this SecurityContextConstraint."""


@pytest.fixture
def version() -> str:
    found: str = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return found


@pytest.fixture
def openshift(tmp_path: Path) -> Path:
    """The widest overlay with the component for OpenShift."""
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    site = tmp_path / "site"
    site.mkdir()
    content = {
        "resources": ["../deploy/overlays/cluster-wide"],
        "components": ["../deploy/components/exec", "../deploy/components/openshift"],
    }
    (site / "kustomization.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    return site


def named(found: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {(one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]) for one in found}


def test_on_openshift_rights_are_in_the_namespace_of_its_operator(openshift: Path) -> None:
    found = named(objects(openshift))
    elsewhere = named(objects(OVERLAYS["cluster-wide"]))

    assert {namespace for _, namespace, _ in found if namespace} == {OPENSHIFT, "mig-conformance"}
    moved = {(kind, OPENSHIFT, name) for kind, namespace, name in elsewhere if namespace == OPERATOR_NAMESPACE}
    assert moved
    assert moved <= found


def test_on_openshift_both_accounts_may_name_the_user_of_their_pods(openshift: Path) -> None:
    (binding,) = [one for one in objects(openshift) if one.get("roleRef", {}).get("name") == NONROOT]

    assert {one["name"] for one in binding["subjects"]} == {"default", job_account(openshift)}


def job_account(folder: Path) -> str:
    account: str = job_spec(folder)["template"]["spec"]["serviceAccountName"]
    return account


def test_a_real_server_accepts_what_is_for_openshift(openshift: Path, namespaces: Path) -> None:
    apply(namespaces, yaml.safe_dump({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OPENSHIFT}}))

    assert "Warning" not in apply(namespaces, built(openshift), "--dry-run=server", "--validate=strict")


def test_the_plugin_of_sonobuoy_hands_over_what_the_suite_writes(version: str) -> None:
    plugin = yaml.safe_load((MANIFESTS / "sonobuoy" / "plugin.yaml").read_text(encoding="utf-8"))

    assert plugin["spec"]["image"] == f"mig-conformance:{version}"
    assert "--results=sonobuoy" in plugin["spec"]["args"]
    assert plugin["spec"]["volumeMounts"] == [{"name": "results", "mountPath": SONOBUOY_FOLDER}]
    assert plugin["sonobuoy-config"]["result-format"] == "junit"


def test_argo_cd_takes_a_release_and_an_overlay_that_exist(version: str) -> None:
    source = yaml.safe_load((MANIFESTS / "gitops" / "argo-cd.yaml").read_text(encoding="utf-8"))["spec"]["source"]

    assert source["targetRevision"] == f"v{version}"
    assert ROOT / source["path"] in OVERLAYS.values()
    (image,) = source["kustomize"]["images"]
    assert image.startswith("mig-conformance=")
    assert image.endswith(f":{version}")


def test_flux_takes_a_release_and_an_overlay_that_exist(version: str) -> None:
    repository, kustomization = yaml.safe_load_all((MANIFESTS / "gitops" / "flux.yaml").read_text(encoding="utf-8"))

    assert repository["spec"]["ref"] == {"tag": f"v{version}"}
    assert kustomization["spec"]["sourceRef"]["name"] == repository["metadata"]["name"]
    assert (ROOT / kustomization["spec"]["path"]).resolve() in OVERLAYS.values()
    assert [(one["name"], one["newTag"]) for one in kustomization["spec"]["images"]] == [("mig-conformance", version)]


def test_the_list_of_images_is_what_is_pulled(version: str) -> None:
    listed = (MANIFESTS / "images.txt").read_text(encoding="utf-8").split()

    assert listed == [DEFAULT_IMAGE, f"mig-conformance:{version}"]


@pytest.mark.parametrize("stem", sorted(one.name.removesuffix(".yaml") for one in POD_MANIFESTS.iterdir()))
def test_the_option_for_the_image_is_that_of_every_container_of_the_suite(stem: str) -> None:
    pod = make_pod(stem, name="p", node="a", run="r", image="registry.example.com/own:1")
    containers = [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]

    assert {one["image"] for one in containers} == {"registry.example.com/own:1"}
