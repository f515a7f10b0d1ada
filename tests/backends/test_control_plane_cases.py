"""The verdict does not depend on where the API server comes from."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conformance.backends.control_plane import Binaries

ROOT = Path(__file__).parents[2]
NARROWED = ["--gpu-nodes=1", "--gpus-per-node=2", "--configuration=all-disabled", "--configuration=all-1g.10gb"]


def certify(folder: Path, *options: str) -> dict[str, Any]:
    """Run the suite in a process of its own and return the report."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", f"--report-dir={folder}", *NARROWED, *options]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    report = folder / "report.json"
    assert report.exists(), run.stdout + run.stderr
    content: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return content


def outcomes(report: dict[str, Any]) -> dict[str, str]:
    """Return verdict, restore and the outcome of each case."""
    of_run = {"verdict": report["verdict"], "restore": report["restore"]["outcome"]}
    return of_run | {case["id"]: case["outcome"] for case in report["cases"]}


def differences(report: dict[str, Any], reference: dict[str, Any]) -> list[str]:
    """Return one line for each outcome that is another one than in the reference, with the reasons given there."""
    mine, other = outcomes(report), outcomes(reference)
    reasons = {case["id"]: case["reason"] for case in [*reference["cases"], *report["cases"]] if case["reason"]}
    names = [name for name in {**other, **mine} if mine.get(name) != other.get(name)]
    return [f"{name}: {mine.get(name)}, not {other.get(name)}: {reasons.get(name, '')}" for name in names]


@pytest.fixture(scope="module")
def fault(request: pytest.FixtureRequest) -> list[str]:
    """Option that switches a fault on; empty for none."""
    return [f"--fault={name}" for name in request.param]


@pytest.fixture(scope="module")
def embedded(fault: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return certify(tmp_path_factory.mktemp("embedded"), *fault)


@pytest.mark.usefixtures("binaries")
@pytest.mark.parametrize("fault", [(), ("scheduler-gives-no-reason",)], indirect=True, ids=["healthy", "faulty"])
def test_control_plane_agrees_with_the_embedded_server(
    embedded: dict[str, Any], fault: list[str], tmp_path: Path
) -> None:
    report = certify(tmp_path, "--cluster=control-plane", *fault)

    assert report["backend"] == "control-plane"
    assert (report["verdict"] == "not-certified") == bool(fault)
    assert not differences(report, embedded)


@pytest.mark.parametrize("fault", [()], indirect=True, ids=["healthy"])
def test_gpu_nodes_that_join_a_live_cluster_agree_too(
    embedded: dict[str, Any], control_plane: Path, tmp_path: Path, binaries: Binaries
) -> None:
    if binaries.scheduler is None or binaries.controller_manager is None:
        pytest.skip("a live cluster has a scheduler and controllers: build them with tools/control-plane/build.sh")

    report = certify(tmp_path, "--cluster=live", f"--kubeconfig={control_plane}", "--simulate-gpus")

    assert report["backend"] == "live"
    assert not differences(report, embedded)
