"""The kit for runs inside a cluster: what it builds, what it grants, and that a real server accepts it."""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Final

import pytest
import yaml

from conformance.cluster.client import SUITE_NAMESPACE
from conformance.cluster.limits import Limits
from conformance.operations.rights import RIGHTS, Level
from conformance.suite.pods import make_pod
from tests.manifests.kustomize import DEPLOY, OVERLAYS, apply, built, job_spec, objects, the
from tools.roles import FOLDERS, NAMESPACES, files

ALL: Final = pytest.mark.parametrize("folder", OVERLAYS.values(), ids=OVERLAYS)
NIGHTLY: Final = [folder for name, folder in OVERLAYS.items() if name != "acceptance-gate"]
LEVELS: Final = {
    "read-only": {Level.READ},
    "node-labels": {Level.READ, Level.DISRUPTIVE},
    "cluster-wide": {Level.READ, Level.DISRUPTIVE, Level.CLUSTER_WIDE},
    "acceptance-gate": {Level.READ, Level.DISRUPTIVE, Level.CLUSTER_WIDE},
}
NIGHTLY_PAGE: Final = (DEPLOY.parents[1] / "docs/use/nightly.md").read_text(encoding="utf-8")
PODS: Final = ("bystander", "gpu-holder", "gpu-observer", "slice-tester", "slice-user")
"""Pods of the suite that need no privilege; `host-command` is started with --allow-reboot alone."""


def arguments(folder: Path) -> list[str]:
    (container,) = job_spec(folder)["template"]["spec"]["containers"]
    words: list[str] = container["args"]
    return words


def grants(folder: Path) -> set[tuple[str, str, str, str]]:
    """Namespace, group, resource and verb of everything that the service account may do by name."""
    return {
        (one["metadata"].get("namespace", ""), group, resource, verb)
        for one in objects(folder)
        if one["kind"] in ("Role", "ClusterRole")
        for rule in one["rules"]
        if "resourceNames" not in rule
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
    }


def needed(levels: Collection[Level]) -> set[tuple[str, str, str, str]]:
    return {
        (NAMESPACES[one.place], one.group, one.resource, verb)
        for one in RIGHTS
        if one.level in levels and not one.makes_namespace
        for verb in one.verbs
    }


# What it builds ------------------------------------------------------------------------------------------------------


def test_roles_are_those_of_the_table_of_rights() -> None:
    assert {path: path.read_text(encoding="utf-8") for path in files()} == files(), "run: python tools/roles.py"


@pytest.mark.parametrize(("name", "folder"), OVERLAYS.items(), ids=OVERLAYS)
def test_an_overlay_grants_what_its_run_needs_and_no_more(name: str, folder: Path) -> None:
    assert grants(folder) == needed(LEVELS[name])
    assert {level for level in Level if level and level in arguments(folder)} == LEVELS[name] - {Level.READ}


@ALL
def test_every_role_is_bound_to_the_account_of_the_pod(folder: Path) -> None:
    bindings = [one for one in objects(folder) if one["kind"].endswith("Binding")]
    roles = [one for one in objects(folder) if one["kind"] in ("Role", "ClusterRole")]
    account = job_spec(folder)["template"]["spec"]["serviceAccountName"]

    assert {(one["roleRef"]["kind"], one["roleRef"]["name"]) for one in bindings} == {
        (one["kind"], one["metadata"]["name"]) for one in roles
    }
    assert [one["subjects"] for one in bindings] == [
        [{"kind": "ServiceAccount", "name": account, "namespace": SUITE_NAMESPACE}]
    ] * len(bindings)
    assert len(bindings) == len(roles)


@ALL
def test_nothing_may_be_read_that_is_secret(folder: Path) -> None:
    assert not {resource for _, _, resource, _ in grants(folder)} & {"secrets", "*"}


@ALL
def test_results_go_to_the_config_map_that_the_role_names(folder: Path) -> None:
    (rule,) = the("Role", folder, "mig-conformance-results")["rules"]
    (name,) = rule["resourceNames"]

    assert f"--results=configmap/{name}" in arguments(folder)
    assert rule["verbs"] == ["patch"]
    assert "data" not in the("ConfigMap", folder, name)


@pytest.mark.parametrize("folder", NIGHTLY, ids=lambda folder: folder.name)
def test_no_two_runs_at_once_and_none_is_repeated(folder: Path) -> None:
    cron = the("CronJob", folder)["spec"]

    assert cron["concurrencyPolicy"] == "Forbid"
    assert cron["jobTemplate"]["spec"]["backoffLimit"] == 0
    assert cron["jobTemplate"]["spec"]["template"]["spec"]["restartPolicy"] == "Never"


@pytest.mark.parametrize(("name", "folder"), OVERLAYS.items(), ids=OVERLAYS)
def test_a_terminated_run_has_time_to_put_everything_back(name: str, folder: Path) -> None:
    limits = Limits()
    longest = limits.reconfigure + limits.operands_ready
    if Level.CLUSTER_WIDE in LEVELS[name]:
        longest += limits.strategy_seen + limits.strategy_roll + limits.strategy_roll_per_node
    spec = job_spec(folder)
    grace = spec["template"]["spec"]["terminationGracePeriodSeconds"]

    assert name == "read-only" or grace >= longest
    assert spec["activeDeadlineSeconds"] > grace


def test_the_gate_is_one_job_with_the_full_profile() -> None:
    gate = OVERLAYS["acceptance-gate"]

    assert [one["kind"] for one in objects(gate) if one["apiVersion"] == "batch/v1"] == ["Job"]
    assert [word for word in arguments(gate) if word.startswith("--profile")][-1] == "--profile=full"
    pod, nightly = (job_spec(folder)["template"] for folder in (gate, OVERLAYS["cluster-wide"]))
    pod["spec"]["containers"][0].pop("args")
    nightly["spec"]["containers"][0].pop("args")
    assert pod == nightly


@pytest.mark.parametrize("level", [Level.EXEC, Level.PUBLISH], ids=lambda level: level.name)
def test_a_component_adds_rights_and_the_option(level: Level, tmp_path: Path) -> None:
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    site = tmp_path / "site"
    site.mkdir()
    content = {"resources": ["../deploy/base"], "components": [f"../deploy/{FOLDERS[level]}"]}
    (site / "kustomization.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")

    assert level in arguments(site)
    assert grants(site) == needed({Level.READ, level})


def test_the_folder_of_a_site_that_the_page_shows_can_be_built(tmp_path: Path) -> None:
    (text,) = re.findall(r"^```yaml\n# kustomization\.yaml\n(.*?)^```", NIGHTLY_PAGE, re.MULTILINE | re.DOTALL)
    shutil.copytree(DEPLOY, tmp_path / "deploy")
    site = tmp_path / "site"
    site.mkdir()
    local = re.sub(r"https://\S+//manifests/deploy/(\S+)\?ref=\S+", r"../deploy/\1", text)
    (site / "kustomization.yaml").write_text(local, encoding="utf-8")

    assert arguments(site) == [*arguments(OVERLAYS["node-labels"]), "--sample=1"]
    assert job_spec(site)["template"]["spec"]["containers"][0]["image"] == "registry.example.com/mig-conformance:0.1.0"


# What a real server says ---------------------------------------------------------------------------------------------


@ALL
def test_a_real_server_accepts_it(folder: Path, namespaces: Path) -> None:
    said = apply(namespaces, built(folder), "--dry-run=server", "--validate=strict")

    assert len([line for line in said.splitlines() if line.endswith("(server dry run)")]) == len(objects(folder))
    assert "Warning" not in said  # admission would say that a pod violates `restricted`


@pytest.mark.parametrize("stem", PODS)
def test_pods_of_the_suite_are_admitted_in_its_restricted_namespace(stem: str, namespaces: Path) -> None:
    pod = make_pod(stem, name=stem, node="a", run="r", image="python:3.13-slim")
    pod["spec"].pop("runtimeClassName", None)  # admission wants the RuntimeClass to exist, which is another matter
    pod["metadata"]["namespace"] = SUITE_NAMESPACE
    pod["spec"]["serviceAccountName"] = "default"

    assert "Warning" not in apply(namespaces, yaml.safe_dump(pod), "--dry-run=server")


def test_the_namespace_refuses_the_pod_that_reboots_nodes(namespaces: Path) -> None:
    """So the tests above are not vacuous, and --allow-reboot needs another label on the namespace."""
    pod = make_pod("host-command", name="host-command", node="a", run="r", image="python:3.13-slim")
    pod["metadata"]["namespace"] = SUITE_NAMESPACE

    with pytest.raises(AssertionError, match="violates PodSecurity"):
        apply(namespaces, yaml.safe_dump(pod), "--dry-run=server")
