"""Every case can fail: each fault of the simulator turns exactly its cases red."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from conformance.sim.faults import FAULTS

ROOT = Path(__file__).parents[2]
RED_CASES: dict[str, list[str]] = yaml.safe_load((Path(__file__).parent / "faults.yaml").read_text(encoding="utf-8"))
GEOMETRIES = ["all-disabled", "all-1g.10gb", "all-balanced"]
NOT_OFFERED = {"mig-manager-generates-no-balanced": {"all-balanced"}}
OPTIONS = {"hardware-same-uuids": ["--gpu-nodes=2"]}
"""What a fault needs beyond one node."""
NAMED = {fault.name: fault.requirements for fault in FAULTS}
AT_ONCE = 4
"""Runs at the same time: on two cores, since half of each run is waiting in vain."""


def certify(folder: Path, *options: str) -> dict[str, Any]:
    """Run the suite on a small simulated cluster, in a process of its own, and return the report."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:randomly", f"--report-dir={folder}"]
    command += ["--gpu-nodes=1", "--gpus-per-node=2", f"--timeouts={Path(__file__).parent / 'timeouts.yaml'}", *options]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    report = folder / "report.json"
    assert report.exists(), run.stdout + run.stderr
    content: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return content


def certify_with(fault: str, folder: Path) -> dict[str, Any]:
    geometries = [f"--configuration={name}" for name in GEOMETRIES if name not in NOT_OFFERED.get(fault, ())]
    return certify(folder, f"--fault={fault}", *geometries, *OPTIONS.get(fault, ()))


@pytest.fixture(scope="session")
def reports(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Any]]]:
    """The report of every fault that is asked for, a few runs at a time."""
    items = [item for item in request.session.items if "reports" in getattr(item, "fixturenames", ())]
    asked = [str(item.callspec.params["fault"]) for item in items if isinstance(item, pytest.Function)]
    with ThreadPoolExecutor(AT_ONCE) as executor:
        yield {fault: executor.submit(certify_with, fault, tmp_path_factory.mktemp(fault)) for fault in asked}


def functions(report: dict[str, Any], *outcomes: str) -> set[str]:
    return {c["id"].rpartition("::")[2].partition("[")[0] for c in report["cases"] if c["outcome"] in outcomes}


def failed_requirements(report: dict[str, Any]) -> set[str]:
    return {row["id"] for row in report["requirements"] if row["outcome"] == "failed"}


@pytest.mark.parametrize("fault", [fault.name for fault in FAULTS])
def test_fault_turns_exactly_its_cases_red(fault: str, reports: dict[str, Future[Any]]) -> None:
    report = reports[fault].result()

    assert functions(report, "failed", "error") == set(RED_CASES[fault])
    assert failed_requirements(report) >= set(NAMED[fault])
    assert report["verdict"] == "not-certified"


def test_every_fault_has_its_cases() -> None:
    assert set(RED_CASES) == {fault.name for fault in FAULTS}


def test_every_case_is_turned_red_by_a_fault() -> None:
    cases = {
        line.split("(")[0].removeprefix("def ")
        for path in (ROOT / "conformance" / "cases").glob("test_*.py")
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.startswith("def test_")
    }
    assert cases == {case for red in RED_CASES.values() for case in red}
