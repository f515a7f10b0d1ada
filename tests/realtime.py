"""Where the time of a run goes at real time: `python tests/realtime.py [PYTEST OPTIONS]`.

Runs the suite in a fresh process on a simulated cluster whose seconds are real ones, by default one node in two
configurations under both strategies, and prints the wall time over the sum of its reconfigurations (label to operands
back), and where the rest went. Nothing is asserted. To compare with: the issue of scenarios allows 300 s for the last
grace period of kubelet and 40 s for each state.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DEFAULT = ["--gpu-nodes=1", "--configuration=all-1g.10gb", "--configuration=all-balanced"]


def certify(options: list[str]) -> dict[str, Any]:
    """Run the suite once at real time and return its report."""
    with tempfile.TemporaryDirectory(prefix="realtime-") as folder:
        command = [sys.executable, "-m", "pytest", "-q", "--time-scale=1", f"--report-dir={folder}", *options]
        subprocess.run(command, cwd=ROOT, check=False)
        report: dict[str, Any] = json.loads(Path(folder, "report.json").read_text(encoding="utf-8"))
    return report


def lines(report: dict[str, Any]) -> list[str]:
    """Say what the time went into, a line each."""
    spent, wall, states = report["spent"], report["duration"], report["reconfigurations"]["made"]
    work = spent["reconfigurations"]
    told = [f"{name:<18}{seconds:8.1f} s   {seconds / wall:5.1%}" for name, seconds in spent.items()]
    rest = wall - sum(spent.values())
    return [
        f"verdict           {report['verdict']}",
        f"wall time         {wall:8.1f} s, for {states} states",
        *told,
        f"{'cases and pytest':<18}{rest:8.1f} s   {rest / wall:5.1%}",
        f"wall time over the sum of reconfigurations: {wall / work:.2f}" if work else "nothing was reconfigured",
        f"without start, last grace and restore: {wall - spent['start'] - spent['grace'] - spent['restore']:.1f} s",
    ]


def main(arguments: list[str]) -> None:
    """Run with the given options of pytest, or the default ones."""
    for line in lines(certify(arguments or DEFAULT)):
        print(line)  # noqa: T201 - a script prints


if __name__ == "__main__":
    main(sys.argv[1:])
