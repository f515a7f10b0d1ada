"""Whole runs of the suite on a simulated cluster that is somebody's."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from conformance.sim.cluster import SimulatedCluster
from conformance.sim.options import SimOptions
from tests.slow import ASKED_FOR, REASON

ROOT = Path(__file__).parents[2]
DATA = Path(__file__).parent / "data"
CHANGES = ("--allow-disruptive", "--allow-cluster-wide")


def text_of(name: str) -> str:
    """Return the content of a file of `data/`."""
    return (DATA / name).read_text(encoding="utf-8")


@dataclass(frozen=True)
class Ended:
    """A run that is over: exit status, output, and the report; empty if it wrote none."""

    code: int
    output: str
    report: dict[str, Any]

    def cases(self, outcome: str) -> set[str]:
        """Return the cases with this outcome, as `function[place]`."""
        return {case["id"].rpartition("::")[2] for case in self.report["cases"] if case["outcome"] == outcome}

    @property
    def left_out(self) -> dict[str, int]:
        """Reasons for leaving out cases, with the number of places."""
        found: dict[str, int] = {}
        for one in self.report["left_out"]:
            found[one["reason"]] = found.get(one["reason"], 0) + one["places"]
        return found


@dataclass(frozen=True)
class Somebody:
    """A simulated cluster that is treated like a live one."""

    cluster: SimulatedCluster
    folder: Path

    def certify(self, *arguments: str) -> Ended:
        """Run the suite on the cluster, in a process of its own."""
        if not ASKED_FOR:
            pytest.skip(REASON)
        command = [sys.executable, "-m", "pytest", "-q", "--cluster=live", f"--kubeconfig={self.cluster.kubeconfig}"]
        command += [f"--report-dir={self.folder / 'reports'}", *arguments]
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
        file = self.folder / "reports" / "report.json"
        report = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
        return Ended(run.returncode, run.stdout + run.stderr, report)


@contextmanager
def somebody(folder: Path, **options: Any) -> Iterator[Somebody]:
    """Run a simulated cluster of one node."""
    options = {"gpu_nodes": 1, "gpus_per_node": 1} | options
    with SimulatedCluster(SimOptions(**options), directory=folder / "cluster") as cluster:
        yield Somebody(cluster, folder)
