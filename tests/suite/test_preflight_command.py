"""`mig-conformance preflight` on simulated clusters: silent where all is well, and it only reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from conformance.cluster import paths
from conformance.cluster.connecting import connect
from conformance.cluster.limits import Limits
from conformance.cluster.transport import USER_AGENT, Transport
from conformance.sim.cluster import SimulatedCluster
from conformance.sim.options import SimOptions
from conformance.suite.preflight_command import main

EVERYTHING = ("--allow-disruptive", "--allow-cluster-wide", "--allow-exec", "--allow-reboot")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("preflight")


@pytest.fixture(scope="module")
def kubeconfig(folder: Path) -> Iterator[Path]:
    options = SimOptions(gpu_nodes=1, gpus_per_node=1, other_nodes="tesla-t4,l40s", audit_log=folder / "audit")
    with SimulatedCluster(options, directory=folder / "cluster") as cluster:
        yield cluster.kubeconfig


@pytest.fixture
def hand(kubeconfig: Path) -> Iterator[Transport]:
    with closing(connect(kubeconfig, None, Limits())) as transport:
        yield transport


def preflight(kubeconfig: Path, *options: str) -> tuple[int, str]:
    code, lines = main([f"--kubeconfig={kubeconfig}", *options])
    return code, "\n".join(lines)


def requests(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "audit").read_text().splitlines()
    return [one for one in map(json.loads, lines) if one["user_agent"] == USER_AGENT]


def test_a_healthy_cluster_is_silent_and_only_read(kubeconfig: Path, folder: Path) -> None:
    before = len(requests(folder))

    assert preflight(kubeconfig) == (0, "nothing found")
    assert preflight(kubeconfig, *EVERYTHING) == (0, "nothing found")
    sent = requests(folder)[before:]
    writes = [one for one in sent if one["method"] != "GET"]
    assert {one["path"].rpartition("/")[2] for one in writes} == {"selfsubjectaccessreviews", "namespaces", "pods"}
    for one in writes:
        assert one["path"].endswith("accessreviews") or one["query"]["dryRun"] == "All", one


def test_findings_are_told_as_text_and_as_json(kubeconfig: Path, hand: Transport) -> None:
    state = {"nvidia.com/mig.config.state": "failed"}
    hand.patch(paths.node("sim-0"), {"metadata": {"labels": state}})
    code, text = preflight(kubeconfig)
    _, as_json = preflight(kubeconfig, "--output", "json")
    hand.patch(paths.node("sim-0"), {"metadata": {"labels": {"nvidia.com/mig.config.state": "success"}}})

    assert code == 1
    assert text.splitlines()[0] == "blocks  failed: node sim-0: nvidia.com/mig.config=all-disabled is in state failed"
    found = json.loads(as_json)
    assert found["blocked"]
    assert [(one["id"], one["objects"]) for one in found["findings"]] == [("failed", ["node sim-0"])]


def test_a_cluster_that_cannot_be_looked_at_is_one_line(tmp_path: Path, kubeconfig: Path) -> None:
    code, text = preflight(tmp_path / "none")
    assert (code, text.count("\n")) == (4, 0)
    assert "no kubeconfig" in text

    code, text = preflight(kubeconfig, "--node", "sim-9")
    assert (code, text) == (4, "ERROR: unknown node sim-9; there are: sim-0, sim-other-0, sim-other-1")
    assert preflight(kubeconfig, "--output", "yaml") == (4, "ERROR: --output takes one of text, json, not yaml")
