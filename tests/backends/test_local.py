"""kind, k3d and minikube through pytest-kubernetes, with programs of our own in place of theirs.

What matters is what the user keeps: kubeconfig and environment.
"""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

import pytest

from conformance.backends.backend import BackendError
from conformance.backends.local import LocalBackend
from conformance.backends.names import PROVIDERS

READY = "readyz check passed default"


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, alone on the PATH beside the shell's, into which `program` puts scripts."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    return folder


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def recorder(folder: Path, name: str, output: str = "") -> Path:
    """A program that writes down how it was called, with its KUBECONFIG."""
    calls = folder / f"{name}.calls"
    program(folder, name, f'echo "$KUBECONFIG $*" >> {shlex.quote(str(calls))}; echo {shlex.quote(output)}')
    return calls


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_missing_program_is_named(provider: str, programs: Path) -> None:
    assert programs.exists()
    with pytest.raises(BackendError, match=f"--cluster {provider} needs the program {provider} on the PATH"):
        LocalBackend(provider, "r1").start()


def test_a_cluster_that_is_there_already_is_not_taken_for_ours(programs: Path) -> None:
    """kind is asked to make and to remove a cluster that carries the run's id."""
    made = programs / "made"
    program(programs, "kubectl", f'[ -e {shlex.quote(str(made))} ] || exit 1; echo "{READY}"')
    calls = recorder(programs, "kind")
    program(programs, "kind", f'echo "$KUBECONFIG $*" >> {shlex.quote(str(calls))}; touch {shlex.quote(str(made))}')

    backend = LocalBackend("kind", "r1")
    attachment = backend.start()
    kubeconfig = attachment.kubeconfig
    assert kubeconfig.exists()
    backend.stop()
    backend.stop()

    create, delete = calls.read_text().splitlines()
    assert f"create cluster --name pytest-mig-r1 --kubeconfig {kubeconfig}" in create
    assert "delete cluster --name pytest-mig-r1" in delete
    assert {line.split()[0] for line in (create, delete)} == {str(kubeconfig)}
    assert not kubeconfig.exists()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_kubeconfig_and_environment_of_the_user_survive(
    provider: str, programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the cluster cannot be made."""
    mine = tmp_path / "mine"
    mine.write_text("precious")
    monkeypatch.setenv("KUBECONFIG", str(mine))
    program(programs, "kubectl", "exit 1")
    program(programs, provider, "echo no space left >&2; exit 3")
    before = dict(os.environ)

    backend = LocalBackend(provider, "r1")
    with pytest.raises(BackendError, match=f"{provider} could not make a cluster: "):
        backend.start()
    with pytest.raises(BackendError, match=f"{provider} could not remove cluster pytest-mig-r1"):
        backend.stop()

    assert mine.read_text() == "precious"
    assert dict(os.environ) == before
