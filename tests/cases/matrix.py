"""The detection matrix: which cases each fault of the simulator turns red. `python -m tests.cases` writes it anew."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from conformance.sim.cluster import SimulatedCluster
from conformance.sim.faults import FAULTS
from conformance.sim.options import SimOptions

ROOT: Final = Path(__file__).parents[2]
FILE: Final = Path(__file__).with_name("faults.yaml")
TIMEOUTS: Final = Path(__file__).with_name("timeouts.yaml")
CONFIGURATIONS: Final = ("all-disabled", "all-1g.10gb", "all-balanced")
AT_ONCE: Final = 5
"""Runs at the same time: on two cores, because half of each run is waiting in vain."""
_WITHOUT_PLUGINS: Final = ("-p", "no:randomly", "-p", "no:hypothesispytest", "-p", "no:xdist")
NAMED: Final = {fault.name: fault.requirements for fault in FAULTS}
_RED: Final = ("failed", "error")


@dataclass(frozen=True)
class Row:
    """One fault in the matrix.

    Attributes:
        red: Names of the cases that it turns red, in order of their first failure.
        reason: Why cases of requirements turn red that the fault does not violate directly; empty if none does.
        options: Options of its run besides those of every run.
        without: Configurations that its run leaves out, because the fault keeps them from being offered.
        sometimes: Names of further cases that it turns red in some runs, because the moment decides.
        read_only: Whether its run only reads a cluster that is simulated beside it, because one that may change nodes
            refuses to begin.
    """

    red: tuple[str, ...] = ()
    reason: str = ""
    options: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    sometimes: tuple[str, ...] = ()
    read_only: bool = False


def load() -> dict[str, Row]:
    """Read the matrix."""
    content = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return {
        name: Row(
            tuple(entry.get("red", ())),
            entry.get("reason", ""),
            tuple(entry.get("options", ())),
            tuple(entry.get("without", ())),
            tuple(entry.get("sometimes", ())),
            entry.get("read-only", False),
        )
        for name, entry in content.items()
    }


def certify(fault: str, row: Row) -> dict[str, Any]:
    """Run the suite on a small simulated cluster with a fault, in a process of its own, and return the report."""
    with tempfile.TemporaryDirectory(prefix=f"{fault}-") as folder, _cluster(fault, row) as options:
        command = [sys.executable, "-m", "pytest", "-q", *_WITHOUT_PLUGINS, f"--report-dir={folder}"]
        command += [f"--timeouts={TIMEOUTS}", *options, *row.options]
        # With bytecode on disk, each of a hundred processes starts two seconds of CPU time earlier.
        cached = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
        run = subprocess.run(command, cwd=ROOT, env=cached, capture_output=True, text=True, timeout=600, check=False)
        report = Path(folder) / "report.json"
        assert report.exists(), run.stdout + run.stderr
        content: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
        return content


@contextmanager
def _cluster(fault: str, row: Row) -> Iterator[list[str]]:
    """Give the options for a cluster with a fault; it is simulated by the run itself, or here if that only reads."""
    if not row.read_only:
        chosen = [f"--configuration={name}" for name in CONFIGURATIONS if name not in row.without]
        yield ["--gpu-nodes=1", "--gpus-per-node=2", f"--fault={fault}", *chosen]
        return
    cluster = SimulatedCluster(SimOptions(gpu_nodes=1, gpus_per_node=2, faults=(fault,)))
    try:
        yield ["--cluster=live", f"--kubeconfig={cluster.start()}"]
    finally:
        cluster.stop()


def red_cases(report: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Return the requirements of each case that is red in a report, by the name of its function."""
    return {
        case["id"].rpartition("::")[2].partition("[")[0]: frozenset(case["requirements"])
        for case in report["cases"]
        if case["outcome"] in _RED
    }


def unrelated(fault: str, red: Mapping[str, frozenset[str]]) -> list[str]:
    """Return the red cases that certify no requirement that the fault violates directly."""
    return sorted(name for name, requirements in red.items() if not requirements.intersection(NAMED[fault]))


@contextmanager
def running(faults: Iterable[str], rows: Mapping[str, Row]) -> Iterator[Mapping[str, Any]]:
    """Run the suite with each of the faults, a few at a time; gives the future of each report."""
    with ThreadPoolExecutor(AT_ONCE) as executor:
        yield {fault: executor.submit(certify, fault, rows.get(fault, Row())) for fault in faults}


def write(rows: Mapping[str, Row]) -> None:
    """Write the matrix in the order of `FAULTS`, below the comment at its head."""
    head = "".join(line for line in FILE.read_text(encoding="utf-8").splitlines(keepends=True) if line.startswith("#"))
    content = {name: _entry(rows[name]) for name in NAMED if name in rows}
    text = yaml.safe_dump(content, sort_keys=False, width=118, allow_unicode=True)
    FILE.write_text(head + text, encoding="utf-8")


def _entry(row: Row) -> dict[str, Any]:
    lists = {"options": row.options, "without": row.without, "sometimes": row.sometimes}
    optional = {"reason": row.reason, "read-only": row.read_only, **{key: list(value) for key, value in lists.items()}}
    return {"red": list(row.red), **{key: value for key, value in optional.items() if value}}
