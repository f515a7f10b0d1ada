"""The Helm chart: it installs what the overlays of manifests/deploy do, and refuses values that make no sense."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from conformance.cluster.client import SUITE_NAMESPACE
from tests.manifests.kustomize import OVERLAYS, apply, objects

ROOT: Final = Path(__file__).parents[2]
CHART: Final = ROOT / "manifests" / "chart"
MODES: Final = ("read-only", "node-labels", "cluster-wide")


@pytest.fixture(scope="module")
def helm() -> Any:
    """Helm as a library; there is a wheel of it for Linux on x86-64."""
    try:
        return importlib.import_module("helm_python")
    except ImportError:
        pytest.skip("no helm_python: pip install helm-python-sdk")


def rendered(helm: Any, values: Mapping[str, Any], namespace: str = SUITE_NAMESPACE) -> list[dict[str, Any]]:
    with helm.Chart.load(CHART) as chart:
        files = chart.render(dict(values), name="nightly", namespace=namespace)
    return [one for text in files.values() for one in yaml.safe_load_all(text) if one]


def the_job(found: list[dict[str, Any]]) -> Any:
    (one,) = [one for one in found if one["apiVersion"] == "batch/v1"]
    return one["spec"]["jobTemplate"]["spec"] if one["kind"] == "CronJob" else one["spec"]


def pod(found: list[dict[str, Any]]) -> Any:
    return the_job(found)["template"]["spec"]


def by_name(found: list[dict[str, Any]]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """Objects without their labels, which Helm adds."""
    named = {}
    for one in found:
        meta = one["metadata"]
        meta.pop("labels", None)
        if one["kind"] == "CronJob":
            one["spec"]["jobTemplate"]["spec"]["template"]["metadata"].pop("labels", None)
        named[one["kind"], meta.get("namespace", ""), meta["name"]] = one
    return named


@pytest.mark.parametrize("mode", MODES)
def test_a_mode_is_its_overlay(mode: str, helm: Any) -> None:
    """The namespace is made by Helm itself."""
    overlay = by_name([one for one in objects(OVERLAYS[mode]) if one["kind"] != "Namespace"])

    assert by_name(rendered(helm, {"mode": mode})) == overlay


def test_helm_has_nothing_to_say_about_it(helm: Any) -> None:
    report = helm.lint(str(CHART), namespace=SUITE_NAMESPACE, strict=True)

    assert [one for one in report["messages"] if one["severity"] > 1] == []
    assert report["errors"] == []


def test_versions_are_those_of_the_package() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))

    assert (chart["version"], chart["appVersion"]) == (version, version)
    assert pod(objects(OVERLAYS["read-only"]))["containers"][0]["image"] == f"mig-conformance:{version}"


def test_without_a_schedule_it_is_one_run_now(helm: Any) -> None:
    found = rendered(helm, {"schedule": ""})

    assert [one["kind"] for one in found if one["apiVersion"] == "batch/v1"] == ["Job"]
    assert by_name(found)["Job", SUITE_NAMESPACE, "mig-conformance-1"]["spec"]["backoffLimit"] == 0


def test_a_site_of_its_own(helm: Any) -> None:
    digest = f"sha256:{'0' * 64}"
    found = rendered(
        helm,
        {
            "mode": "node-labels",
            "allowExec": True,
            "operatorNamespace": "nvidia-gpu-operator",
            "image": {"repository": "registry.example.com/suite", "digest": digest, "pullSecrets": [{"name": "s"}]},
            "podImage": "registry.example.com/suite:0.1.0",
            "args": ["--sample=1"],
            "results": {"configMap": "other", "claim": "reports"},
            "user": None,
            "nodeSelector": {"node-role.kubernetes.io/worker": ""},
        },
    )
    (container,) = pod(found)["containers"]
    operator = {one["metadata"].get("namespace") for one in found if one["metadata"]["name"].endswith("-exec")}
    (results,) = [one for one in found if one["kind"] == "Role" and one["metadata"]["name"].endswith("-results")]

    assert container["image"] == f"registry.example.com/suite@{digest}"
    assert container["args"][-3:] == ["--allow-exec", "--image=registry.example.com/suite:0.1.0", "--sample=1"]
    assert "--results=configmap/other" in container["args"]
    assert results["rules"][0]["resourceNames"] == ["other"]
    assert operator == {"nvidia-gpu-operator"}
    assert pod(found)["imagePullSecrets"] == [{"name": "s"}]
    assert pod(found)["nodeSelector"] == {"node-role.kubernetes.io/worker": ""}
    assert pod(found)["volumes"][1] == {"name": "results", "persistentVolumeClaim": {"claimName": "reports"}}
    assert pod(found)["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}


@pytest.mark.parametrize(
    "values",
    [{"mode": "everything"}, {"args": ["sample"]}, {"image": {"digest": "latest"}}, {"schedul": ""}, {"user": 0}],
    ids=str,
)
def test_values_that_make_no_sense_are_refused(values: dict[str, Any], helm: Any) -> None:
    with helm.Chart.load(CHART) as chart, pytest.raises(helm.HelmError):
        chart.validate_schema(values)


def test_another_namespace_is_refused(helm: Any) -> None:
    with pytest.raises(helm.HelmError, match="--namespace mig-conformance"):
        rendered(helm, {}, "default")


@pytest.mark.parametrize("mode", MODES)
def test_a_real_server_accepts_it(mode: str, helm: Any, namespaces: Path) -> None:
    text = yaml.safe_dump_all(rendered(helm, {"mode": mode, "allowExec": True, "publish": True}))

    assert "Warning" not in apply(namespaces, text, "--dry-run=server", "--validate=strict")
