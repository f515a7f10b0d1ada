"""Interrupts runs at seeded writes and checks what is left: `python tests/interruptions.py [--points 100] [--seed 0]`.

One simulated cluster stands for somebody's live cluster. Each point is a run of the suite on it that gets a signal
right after one of its writes (lease, journal, cordon, labels, strategy, pods, restore). After SIGKILL,
`mig-conformance restore apply` must bring back exactly what was found, also after another one that was killed. After
SIGINT, SIGTERM and SIGHUP, once or twice, summary and report must exist in time, and the cluster must be as found;
after two signals `restore apply` may have to complete it.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from conformance.cluster import paths
from conformance.cluster.connecting import connect
from conformance.cluster.limits import Limits
from conformance.cluster.transport import Transport
from conformance.spec.names import GFD_TIMESTAMP, OPERATOR_NAMESPACE

SUITE: Final = "mig-conformance"
KILLED_TWICE: Final = "KILL KILL"
"""The run, and then the command that puts back what it left."""
KINDS: Final = ("KILL", KILLED_TWICE, "INT", "TERM", "HUP", "INT INT", "TERM TERM", "HUP HUP")
RUN: Final = (
    "--cluster=live", "--allow-disruptive", "--allow-cluster-wide", "--allow-reboot", "--configuration=all-1g.10gb",
    "--configuration=all-balanced",
)  # fmt: skip
LIMITS: Final = (
    "lease = 2\nstays_pending = 0.3\nidle = 0.5\nedit_ignored = 1\nstuck = 2\nreconfigure = 20\ncrash_again = 0.5\n"
)
"""Real seconds: on this cluster, five minutes are less than one. Mig-manager gives up after that time, also where a
scenario holds it up, and then never answers."""
IN_TIME: Final = 30.0
"""Real seconds from the first signal to the end; a reconfiguration takes less than one second on this cluster."""


class Writes:
    """The writes of the suite from now on, as method and path, read from the audit log of the API server."""

    def __init__(self, audit: Path) -> None:
        self._file = audit.open(encoding="utf-8")
        self._file.seek(0, os.SEEK_END)
        self._rest = ""
        self._found: list[str] = []

    def so_far(self) -> list[str]:
        """Return all writes until now, the oldest first."""
        *lines, self._rest = (self._rest + self._file.read()).split("\n")
        for one in map(json.loads, lines):
            if one["user_agent"].startswith(SUITE) and one["method"] != "GET":
                self._found.append(f"{one['method']} {one['path']}")
        return self._found

    def until(self, count: int, running: subprocess.Popen[str]) -> list[str]:
        """Wait for so many writes, or until the process has ended; return all writes until then."""
        while running.poll() is None and len(self.so_far()) < count:
            time.sleep(0.005)
        return self._found

    def close(self) -> None:
        """Close the log."""
        self._file.close()


@dataclass
class Stage:
    """A simulated cluster in a process of its own, and what an administrator sees of it."""

    folder: Path
    process: subprocess.Popen[str]
    kubeconfig: Path
    eyes: Transport
    audit: Path
    profile: str
    limits: Path = field(init=False)

    def __post_init__(self) -> None:
        self.limits = self.folder / "limits.toml"
        self.limits.write_text(LIMITS, encoding="utf-8")

    def snapshot(self) -> dict[str, Any]:
        """Everything that a run may change."""
        nodes = {one["metadata"]["name"]: self._node(one) for one in self.eyes.list(paths.nodes())}
        files = self.eyes.list(paths.config_maps(OPERATOR_NAMESPACE))
        return {
            "nodes": nodes,
            "policies": [one["spec"] for one in self.eyes.list(paths.policies())],
            "namespaces": sorted(one["metadata"]["name"] for one in self.eyes.list(paths.namespaces())),
            "files": {one["metadata"]["name"]: one.get("data") for one in files},
            "leases": [one["metadata"]["name"] for one in self.eyes.list(paths.leases(SUITE))],
            "pods": [one["metadata"]["name"] for one in self.eyes.list(paths.pods(SUITE))],
        }

    def begin(self, report: Path) -> subprocess.Popen[str]:
        """Start a run of the suite."""
        options = [f"--kubeconfig={self.kubeconfig}", f"--timeouts={self.limits}", f"--report-dir={report}"]
        options.append(f"--profile={self.profile}")
        command = [sys.executable, "-m", "conformance", "-q", *RUN, *options]
        return subprocess.Popen(command, cwd=report, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def begin_restore(self) -> subprocess.Popen[str]:
        """Start to put back, as a user would."""
        command = [sys.executable, "-m", "conformance", "restore", "apply", f"--kubeconfig={self.kubeconfig}"]
        command.append(f"--timeouts={self.limits}")
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def restore(self) -> str:
        """Put back, as a user would; returns what it said if it could not."""
        with self.begin_restore() as restoring:
            said, _ = restoring.communicate()
        return "" if restoring.returncode == 0 else f"restore apply: {said}"

    @staticmethod
    def _node(raw: Mapping[str, Any]) -> dict[str, Any]:
        meta, status = raw["metadata"], raw["status"]
        labels = {key: value for key, value in meta["labels"].items() if key != GFD_TIMESTAMP}
        allocatable = {key: count for key, count in status["allocatable"].items() if count != "0"}
        return {"labels": labels, "spec": raw.get("spec") or {}, "allocatable": allocatable}


@contextmanager
def staged(folder: Path, profile: str) -> Iterator[Stage]:
    """Run a simulated cluster of one node with two GPUs, for runs of the given profile."""
    audit = folder / "audit"
    command = [sys.executable, "-m", "conformance.sim", "--gpu-nodes=1", "--gpus-per-node=2", f"--audit-log={audit}"]
    with subprocess.Popen([*command, f"--directory={folder}"], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            kubeconfig = folder / "kubeconfig"
            eyes = connect(kubeconfig, None, Limits())
            yield Stage(folder, process, kubeconfig, eyes, audit, profile)
            eyes.close()
        finally:
            process.terminate()


def interrupt(stage: Stage, kind: str, after: int, pause: float, report: Path) -> tuple[str, float, str]:
    """Run the suite and send the signals of `kind` after its write number `after`.

    Returns:
        The write after which the first signal was sent, seconds from then to the end of the run, and its output.
    """
    names = kind.split()
    with closing(Writes(stage.audit)) as log, stage.begin(report) as run:
        writes = log.until(after, run)
        sent = time.monotonic()
        run.send_signal(getattr(signal, f"SIG{names[0]}"))
        if len(names) > 1 and run.poll() is None:
            time.sleep(pause)
            run.send_signal(getattr(signal, f"SIG{names[1]}"))
        output, _ = run.communicate(timeout=300)
    at = writes[after - 1] if len(writes) >= after else "the end"
    return at, time.monotonic() - sent, output


def kill_the_restore(stage: Stage, after: int) -> None:
    """Put back, and kill that after some writes."""
    with closing(Writes(stage.audit)) as log, stage.begin_restore() as restoring:
        log.until(after, restoring)
        restoring.kill()


def problems(
    stage: Stage, kind: str, after: int, pause: float, found: dict[str, Any], in_time: float = math.inf
) -> tuple[str, list[str]]:
    """Interrupt one run and return where, and what is wrong then; `in_time` limits the real seconds from the signal."""
    with tempfile.TemporaryDirectory(prefix="interrupted-") as folder:
        at, seconds, output = interrupt(stage, kind, after, pause, Path(folder))
        wrong: list[str] = []
        if not kind.startswith("KILL"):
            written = Path(folder, "report.json")
            wrong += [] if written.exists() else [f"no report.json: {output[-2000:]}"]
            wrong += [] if "\nverdict " in output else [f"no summary: {output[-2000:]}"]
            wrong += [f"took {seconds:.0f} s"] if seconds > in_time else []
            wrong += [f"traceback: {output[-3000:]}"] if "Traceback" in output else []
        if kind == KILLED_TWICE:
            kill_the_restore(stage, 1 + round(pause * 20))
        if kind == "KILL" or " " in kind:
            wrong += [said] if (said := stage.restore()) else []
    left = stage.snapshot()
    return at, wrong + list(differences(found, left))


def differences(found: Any, left: Any, at: str = "") -> Iterator[str]:
    """Each value that is not as it was found, with its place."""
    if isinstance(found, dict) and isinstance(left, dict):
        for key in sorted(found.keys() | left.keys()):
            yield from differences(found.get(key), left.get(key), f"{at} {key}".strip())
    elif found != left:
        yield f"{at} was {found}, is {left}"


def total_writes(stage: Stage) -> int:
    """Number of writes of a run that nothing interrupts."""
    with closing(Writes(stage.audit)) as log, tempfile.TemporaryDirectory() as folder:
        with stage.begin(Path(folder)) as run:
            run.communicate()
        return len(log.so_far())


def main(arguments: list[str]) -> int:
    """Interrupt as many runs as asked for; returns 1 if something was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--signals", action="append", choices=KINDS, help="default: all")
    parser.add_argument("--profile", choices=("core", "full"), default="full", help="of the runs; full takes hours")
    given = parser.parse_args(arguments)
    chance = random.Random(given.seed)  # noqa: S311 - chooses points, no secrets
    failed = 0
    with tempfile.TemporaryDirectory(prefix="interruptions-") as folder, staged(Path(folder), given.profile) as stage:
        total, found = total_writes(stage), stage.snapshot()
        print(f"a run makes {total} writes", flush=True)  # noqa: T201 - a script prints
        for number in range(given.points):
            kind = chance.choice(given.signals or KINDS)
            after, pause = chance.randint(1, total), chance.uniform(0, 1.5)
            at, wrong = problems(stage, kind, after, pause, found, IN_TIME)
            failed += bool(wrong)
            print(f"{number:3} {kind:<10} after write {after:3}: {at}: {'; '.join(wrong) or 'as it was'}", flush=True)  # noqa: T201 - a script prints
            if wrong:
                stage.restore()
    print(f"{given.points - failed} of {given.points} were as they should be")  # noqa: T201 - a script prints
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
