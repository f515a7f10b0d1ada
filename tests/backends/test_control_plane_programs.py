from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import conformance
from conformance.backends.backend import BackendError
from conformance.backends.control_plane import Binaries, ControlPlane
from conformance.backends.control_plane.ports import HOST, Ports
from conformance.backends.control_plane.programs import Programs

PATIENCE_SECONDS = 10.0
ROOT = Path(conformance.__file__).parents[1]
SLEEPER = ["sh", "-c", "echo $$; exec sleep 600"]


def eventually(happened: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not happened():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def _temporary_files_of_the_test(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))


@pytest.fixture
def programs() -> Iterator[Programs]:
    programs = Programs()
    yield programs
    programs.close()


def process_of(programs: Programs, name: str) -> psutil.Process:
    log = programs.directory / f"{name}.log"
    eventually(lambda: log.exists() and log.read_text().endswith("\n"))
    return psutil.Process(int(log.read_text()))


def test_close_leaves_nothing(programs: Programs) -> None:
    programs.start("sleeper", SLEEPER)
    process = process_of(programs, "sleeper")

    programs.close()
    programs.close()

    assert not process.is_running()
    assert not programs.directory.exists()


def test_ctrl_c_does_not_reach_the_programs(programs: Programs) -> None:
    programs.start("sleeper", SLEEPER)

    assert os.getpgid(process_of(programs, "sleeper").pid) != os.getpgid(0)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_outlives_a_parent_that_is_killed(how: signal.Signals) -> None:
    parent_text = f"""
import time
from conformance.backends.control_plane.programs import Programs
programs = Programs()
programs.start("sleeper", {SLEEPER})
log = programs.directory / "sleeper.log"
while not (log.exists() and log.read_text().endswith("\\n")):
    time.sleep(0.01)
print(log.read_text().strip(), programs.directory, flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", parent_text], stdout=subprocess.PIPE, text=True, cwd=ROOT) as parent:
        assert parent.stdout is not None
        pid, directory = parent.stdout.readline().split()
        parent.send_signal(how)

    eventually(lambda: not psutil.pid_exists(int(pid)))
    eventually(lambda: not Path(directory).exists())


def test_a_program_that_ended_is_told_with_its_last_words(programs: Programs) -> None:
    programs.start("sleeper", SLEEPER)
    programs.start("talker", ["sh", "-c", "seq 20; exit 3"])
    eventually(programs.broken)

    told = programs.broken()

    assert told.startswith(
        "talker ended with status 3; last words of talker:\n  16\n  17\n  18\n  19\n  20\nall logs: "
    )
    assert Path(told.rpartition(" ")[2], "talker.log").read_text().startswith("1\n2\n")


@pytest.fixture
def scripts(tmp_path: Path) -> Callable[..., Binaries]:
    """Make stand-ins of etcd and kube-apiserver from shell scripts."""

    def make(etcd: str, apiserver: str = "exec sleep 600") -> Binaries:
        for name, text in (("etcd", etcd), ("kube-apiserver", apiserver)):
            (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
            (tmp_path / name).chmod(0o755)
        return Binaries(tmp_path / "etcd", tmp_path / "kube-apiserver", None, None)

    return make


def test_a_program_that_fails_at_the_start_ends_all_others(scripts: Callable[..., Binaries]) -> None:
    etcd = "until [ -s kube-apiserver.log ]; do sleep 0.01; done; echo no space left; exit 1"
    plane = ControlPlane(scripts(etcd, "echo $$; exec sleep 600"))

    with pytest.raises(BackendError, match=r"etcd ended with status 1; last words of etcd:\n  no space left") as raised:
        plane.start()
    plane.stop()

    logs = Path(str(raised.value).rpartition(" ")[2])
    assert (logs / "etcd.log").read_text() == "no space left\n"
    assert not psutil.pid_exists(int((logs / "kube-apiserver.log").read_text()))


def test_a_program_that_cannot_be_run_is_told(tmp_path: Path) -> None:
    plane = ControlPlane(Binaries(tmp_path, tmp_path, None, None))

    with pytest.raises(BackendError, match=r"etcd cannot be run: .*Permission denied"):
        plane.start()


def test_a_server_that_does_not_get_ready_is_told(
    scripts: Callable[..., Binaries], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conformance.backends.control_plane.readiness.START_SECONDS", 0.2)
    plane = ControlPlane(scripts("exec sleep 600"))

    with pytest.raises(BackendError, match=r"not ready after 0.2 s: GET /readyz: .*Connection refused"):
        plane.start()


def test_nobody_else_gets_a_reserved_port() -> None:
    ports = Ports()
    port = ports.reserve()

    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind((HOST, port))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, port))
    ports.close()


def test_a_server_that_shares_ports_gets_a_reserved_one() -> None:
    ports = Ports()
    port = ports.reserve()

    with socket.create_server((HOST, port), reuse_port=True), socket.create_connection((HOST, port)) as client:
        assert client.getpeername() == (HOST, port)
    ports.close()
