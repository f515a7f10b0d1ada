"""How long the default certification takes and what it needs: `python tests/benchmark.py [RUNS] [PYTEST OPTIONS]`.

Each run is `pytest` in a fresh process with a report folder of its own; nothing is asserted. To compare with: on two
idle cores the default run is meant to take less than 60 s of wall time and 400 MiB of memory, with one reconfiguration
for each state. CPU time and the largest resident set are those of the process, as the kernel counts them.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DEFAULT_RUNS = 3
MIB = 1024
"""Kibibytes, in which Linux counts the resident set."""


@dataclass(frozen=True)
class Figures:
    """One run.

    Attributes:
        verdict: What it said; `none` where it wrote no report.
        wall: Seconds from start to end.
        cpu: Seconds of processor time, user and system.
        peak: Largest resident set in MiB.
        made: Reconfigurations made.
        distinct: Distinct states asked for.
    """

    verdict: str
    wall: float
    cpu: float
    peak: float
    made: int
    distinct: int

    def __str__(self) -> str:
        return (
            f"{self.wall:7.1f} s wall {self.cpu:7.1f} s CPU {self.peak:7.0f} MiB peak   "
            f"{self.made} reconfigurations for {self.distinct} states   {self.verdict}"
        )


def certify(options: list[str]) -> Figures:
    """Run the suite once."""
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        command = [sys.executable, "-m", "pytest", "-q", f"--report-dir={folder}", *options]
        begun = time.monotonic()
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        wall = time.monotonic() - begun
        file = Path(folder, "report.json")
        report = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    made = report.get("reconfigurations", {"made": 0, "distinct": 0})
    cpu = used.ru_utime + used.ru_stime
    return Figures(report.get("verdict", "none"), wall, cpu, used.ru_maxrss / MIB, made["made"], made["distinct"])


def measure(runs: int, options: list[str]) -> Iterator[str]:
    """Give the figures of each run as a line, and their medians and maxima."""
    found: list[Figures] = []
    for number in range(1, runs + 1):
        found.append(certify(options))
        yield f"run {number:3} {found[-1]}"
    for name, of in (("median", statistics.median), ("most", max)):
        wall, cpu, peak = (of([getattr(run, field) for run in found]) for field in ("wall", "cpu", "peak"))
        yield f"{name:7} {wall:7.1f} s wall {cpu:7.1f} s CPU {peak:7.0f} MiB peak"


def main(arguments: list[str]) -> None:
    """Measure as often as the first argument says; the others are for pytest."""
    runs = int(arguments.pop(0)) if arguments and arguments[0].isdecimal() else DEFAULT_RUNS
    for line in measure(runs, arguments):
        print(line, flush=True)  # noqa: T201 - a script prints


if __name__ == "__main__":
    main(sys.argv[1:])
