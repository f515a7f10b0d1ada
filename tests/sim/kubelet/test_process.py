"""The suite as the program of a pod: a process of this machine with the files and the account of the pod."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import pytest
import yaml

from conformance.sim.clock import Clock
from conformance.sim.container import Container
from conformance.sim.hardware import NodeHardware
from conformance.sim.kube import KubeError
from conformance.sim.kubelet.process import SUITE, Suite
from conformance.sim.kubelet.programs import Programs
from conformance.sim.node import SimNode

KUBECONFIG = {
    "apiVersion": "v1",
    "kind": "Config",
    "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:1"}}],
    "contexts": [{"name": name, "context": {"cluster": "c", "user": "admin"}} for name in ("a", "b")],
    "current-context": "a",
    "users": [{"name": "admin", "user": {"token": "of-the-administrator"}}],
}
MOUNTS = [{"name": "work", "mountPath": "/results", "subPath": "r"}, {"name": "config", "mountPath": "/config"}]
VOLUMES = [{"name": "work", "emptyDir": {}}, {"name": "config", "configMap": {"name": "c"}}]


class Tokens:
    """A server that makes tokens of service accounts, or does not know how to."""

    def __init__(self, *, makes: bool = True) -> None:
        self.makes = makes

    async def account_token(self, namespace: str, name: str) -> str:
        if not self.makes:
            raise KubeError(404, "NotFound", "the server could not find the requested resource")
        return f"token-of-{namespace}-{name}"


def container(command: Sequence[str], log: list[str], kube: Tokens) -> Container:
    clock = Clock(1000)
    main = {"name": "suite", "terminationMessagePath": "/dev/end", "volumeMounts": MOUNTS}
    spec = {"containers": [main], "volumes": VOLUMES, "serviceAccountName": "auditor"}
    return Container(
        pod={"metadata": {"name": "p", "namespace": "n", "uid": "u"}, "spec": spec},
        name="suite",
        image="registry.example.com/mig-conformance:0.1.0",
        command=command,
        env={"COLOUR": "blue"},
        node=SimNode("sim-0", NodeHardware(["h100-80gb-hbm3"]), clock),
        kube=cast("Any", kube),
        clock=clock,
        visible=frozenset(),
        files=lambda _: None,
        log=log.append,
    )


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Takes the text of a program that runs in place of the suite."""
    package = tmp_path / "path" / "conformance"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.setattr("sys.executable", _isolated(tmp_path))

    def write(text: str) -> None:
        (package / "__main__.py").write_text(text, encoding="utf-8")

    return write


def _isolated(folder: Path) -> str:
    """A Python that has no other `conformance` on its path."""
    script = folder / "python"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -S "$@"\n', encoding="utf-8")
    script.chmod(0o755)
    return str(script)


@pytest.fixture
def suite(tmp_path: Path) -> Suite:
    path = tmp_path / "kubeconfig"
    path.write_text(yaml.safe_dump(KUBECONFIG), encoding="utf-8")
    return Suite(path, "b")


@pytest.mark.parametrize("entry_point", [[], [SUITE]], ids=["of the image", "named"])
async def test_it_gets_the_files_and_the_account_of_its_pod(
    entry_point: list[str], suite: Suite, stand_in: Callable[[str], None]
) -> None:
    stand_in(
        "import os, pathlib, sys\n"
        "given, end = sys.argv[1:]\n"
        "folder = pathlib.Path(given.partition('=')[2])\n"
        "print(folder.parent.is_dir(), os.environ['COLOUR'])\n"
        "print(pathlib.Path(os.environ['KUBECONFIG']).read_text())\n"
        "pathlib.Path(end).write_text('not-certified')\n"
        "sys.exit(1)\n"
    )
    log: list[str] = []
    run = container([*entry_point, "--report-dir=/results/x", "/dev/end"], log, Tokens())

    assert await suite(run) == 1
    assert log[0] == "True blue"
    given = yaml.safe_load("\n".join(log[1:]))
    assert given["users"] == [{"name": "admin", "user": {"token": "token-of-n-auditor"}}]
    assert given["current-context"] == "b"
    assert run.message == "not-certified"


async def test_a_server_that_makes_no_tokens_leaves_the_account_of_the_kubeconfig(
    suite: Suite, stand_in: Callable[[str], None]
) -> None:
    stand_in("import os; print(open(os.environ['KUBECONFIG']).read())\n")
    log: list[str] = []

    assert await suite(container([], log, Tokens(makes=False))) == 0
    assert yaml.safe_load("\n".join(log))["users"] == KUBECONFIG["users"]


async def test_sigterm_reaches_it(suite: Suite, stand_in: Callable[[str], None]) -> None:
    stand_in(
        "import signal, sys\n"
        "signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))\n"
        "print('ready', flush=True)\n"
        "signal.pause()\n"
    )
    run = container([], log := Signalled(), Tokens())
    running = asyncio.create_task(suite(run))
    await log.said.wait()
    run.stop.set()

    assert await running == 7


async def test_a_kill_leaves_no_process(suite: Suite, stand_in: Callable[[str], None]) -> None:
    stand_in(
        "import os, signal\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print(os.getpid(), flush=True)\n"
        "signal.pause()\n"
    )
    run = container([], log := Signalled(), Tokens())
    running = asyncio.create_task(suite(run))
    await log.said.wait()
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    with pytest.raises(ProcessLookupError):
        os.kill(int(log[0]), signal.SIGCONT)


class Signalled(list[str]):
    """A log that tells when its first line is there."""

    def __init__(self) -> None:
        super().__init__()
        self.said = asyncio.Event()

    def append(self, line: str) -> None:
        super().append(line)
        self.said.set()


def test_options_without_a_command_are_for_the_entry_point(suite: Suite) -> None:
    programs = Programs({SUITE: suite}, {SUITE: suite})

    assert programs.find(container(["--cluster=live"], [], Tokens())) is suite
    assert programs.find(container(["/usr/bin/mig-conformance", "restore", "show"], [], Tokens())) is suite
