"""The kit at work on a real control plane with RBAC: its Job runs in a pod, and asks for nothing it may not have."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from conformance.backends.control_plane import Binaries, ControlPlane
from conformance.backends.simulated import WithSimulatedGpus
from conformance.backends.simulation import SimOptions
from conformance.cluster.client import SUITE_NAMESPACE
from conformance.spec.names import MIG_CONFIG
from tests.manifests.kustomize import OVERLAYS, built, job_spec, kubectl

SMALL: Final = SimOptions("h100-80gb-hbm3", gpus_per_node=2, gpu_nodes=1, runs_suite=True)
ACCOUNT: Final = f"system:serviceaccount:{SUITE_NAMESPACE}:mig-conformance"
SECONDS: Final = 300
NARROWED: Final = ("--configuration=all-disabled", "--configuration=all-1g.10gb", "--profile=core")
"""Options for a shorter run."""


class Site:
    """A cluster that somebody runs the kit in."""

    def __init__(self, kubeconfig: Path, audit_log: Path) -> None:
        self.kubeconfig = kubeconfig
        self._audit_log = audit_log

    def kubectl(self, *arguments: str, text: str = "") -> str:
        command = [kubectl(), f"--kubeconfig={self.kubeconfig}", *arguments]
        run = subprocess.run(command, input=text, capture_output=True, text=True, timeout=SECONDS, check=False)
        assert run.returncode == 0, run.stderr
        return run.stdout

    def get(self, kind: str, *arguments: str) -> Any:
        return json.loads(self.kubectl("get", kind, f"--namespace={SUITE_NAMESPACE}", "-o=json", *arguments))

    def start(self, folder: Path, name: str, *options: str) -> None:
        """Apply an overlay, and start its Job with further options."""
        self.kubectl("apply", "-f", "-", text=built(folder))
        spec = job_spec(folder)
        spec["template"]["spec"]["containers"][0]["args"] += options
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name, "namespace": SUITE_NAMESPACE}}
        self.kubectl("apply", "-f", "-", text=yaml.safe_dump(job | {"spec": spec}))
        pods = (f"--selector=job-name={name}", f"--namespace={SUITE_NAMESPACE}")
        self.kubectl("wait", "--for=create", "pods", *pods, "--timeout=60s")

    def end(self, name: str) -> dict[str, Any]:
        """Wait until the pod of a Job has ended, and give the status of its container."""
        ended = "--for=jsonpath={.status.containerStatuses[0].state.terminated.reason}"
        pods = ("pods", f"--selector=job-name={name}", f"--namespace={SUITE_NAMESPACE}")
        self.kubectl("wait", ended, *pods, f"--timeout={SECONDS}s")
        (pod,) = self.get("pods", f"--selector=job-name={name}")["items"]
        terminated: dict[str, Any] = pod["status"]["containerStatuses"][0]["state"]["terminated"]
        return terminated

    def log(self, name: str) -> str:
        return self.kubectl("logs", f"job/{name}", f"--namespace={SUITE_NAMESPACE}", "--tail=-1")

    def results(self) -> dict[str, str]:
        data: dict[str, str] = self.get("configmap", "mig-conformance-results")["data"]
        return data

    def refused(self) -> list[tuple[str, str]]:
        """Verb and address of every request of the account that was not allowed."""
        lines = [json.loads(line) for line in self._audit_log.read_text(encoding="utf-8").splitlines()]
        mine = [line for line in lines if line["user"].get("username") == ACCOUNT]
        assert mine
        return [
            (line["verb"], line["requestURI"])
            for line in mine
            if line["annotations"]["authorization.k8s.io/decision"] != "allow"
        ]


@pytest.fixture(scope="module")
def site(binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    if not (binaries.scheduler and binaries.controller_manager):
        pytest.skip("no kube-scheduler or kube-controller-manager: build them with tools/control-plane/build.sh")
    audit_log = tmp_path_factory.mktemp("audit") / "audit.jsonl"
    backend = WithSimulatedGpus(ControlPlane(binaries, audit_log), SMALL)
    try:
        yield Site(backend.start().kubeconfig, audit_log)
    finally:
        backend.stop()


@pytest.mark.parametrize("overlay", ["read-only", "node-labels", "cluster-wide"])
def test_the_job_runs_in_a_pod_and_its_verdict_arrives(overlay: str, site: Site) -> None:
    site.start(OVERLAYS[overlay], f"{overlay}-1", *NARROWED)
    terminated = site.end(f"{overlay}-1")
    results = site.results()
    log = site.log(f"{overlay}-1")

    assert results["verdict"] == "partial", log
    assert terminated["exitCode"] == 0
    assert terminated["message"].startswith("partial: ")
    assert results["summary"].startswith("verdict ")
    assert results["ended"] >= results["started"]
    assert site.refused() == []


def test_a_pod_that_is_told_to_go_puts_the_cluster_back_first(site: Site) -> None:
    site.start(OVERLAYS["node-labels"], "evicted", *NARROWED)
    asked = f"--for=jsonpath={{.metadata.labels.{_escaped(MIG_CONFIG)}}}=all-1g.10gb"
    site.kubectl("wait", asked, "node/sim-0", f"--timeout={SECONDS}s")
    site.kubectl(
        "delete", "job/evicted", f"--namespace={SUITE_NAMESPACE}", "--cascade=foreground", f"--timeout={SECONDS}s"
    )

    node = json.loads(site.kubectl("get", "node/sim-0", "-o=json"))
    assert node["metadata"]["labels"][MIG_CONFIG] == "all-disabled"
    assert "unschedulable" not in node["spec"]
    assert site.results()["verdict"] == "partial"
    assert "did not run to their end" in site.results()["reasons"]
    assert site.refused() == []


def _escaped(key: str) -> str:
    return key.replace(".", "\\.")
