from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from conformance.backends.backend import BackendError
from conformance.backends.choice import Choice, make_backend
from conformance.backends.control_plane import binaries, find_binaries
from conformance.backends.simulation import SimOptions


@pytest.fixture(autouse=True)
def _no_default_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binaries, "DEFAULT_FOLDER", tmp_path / "default")


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., str]:
    """Make a folder with programs of these names and return its path."""

    def make(name: str, *programs: str) -> str:
        path = tmp_path / name
        path.mkdir()
        for program in programs:
            (path / program).write_text("#!/bin/sh\n", encoding="utf-8")
            (path / program).chmod(0o755)
        return str(path)

    return make


def test_all_are_in_the_assets_folder(folder: Callable[..., str]) -> None:
    assets = folder("a", "etcd", "kube-apiserver", "kube-scheduler", "kube-controller-manager")

    found = find_binaries({"KUBEBUILDER_ASSETS": assets, "PATH": folder("p", "etcd")})

    assert found.etcd == Path(assets, "etcd")
    assert found.controller_manager == Path(assets, "kube-controller-manager")


def test_what_envtest_lacks_may_come_from_the_path_or_be_absent(folder: Callable[..., str]) -> None:
    assets, path = folder("a", "etcd", "kube-apiserver"), folder("p", "kube-scheduler")

    found = find_binaries({"KUBEBUILDER_ASSETS": assets, "PATH": path})

    assert (found.scheduler, found.controller_manager) == (Path(path, "kube-scheduler"), None)


def test_a_variable_for_one_program_comes_first(folder: Callable[..., str]) -> None:
    own = f"{folder('own', 'my-apiserver')}/my-apiserver"

    found = find_binaries({"TEST_ASSET_KUBE_APISERVER": own, "PATH": folder("p", "etcd", "kube-apiserver")})

    assert found.apiserver == Path(own)


def test_a_variable_that_names_no_program_is_an_error(folder: Callable[..., str], tmp_path: Path) -> None:
    (tmp_path / "text").touch()
    variables = {"TEST_ASSET_ETCD": str(tmp_path / "text"), "PATH": folder("p", "etcd", "kube-apiserver")}

    with pytest.raises(BackendError, match=r"TEST_ASSET_ETCD names .*/text, which is not an executable file"):
        find_binaries(variables)


@pytest.mark.parametrize(("there", "missing"), [("etcd", "kube-apiserver"), ("kube-apiserver", "etcd")])
def test_a_missing_program_is_an_error_that_says_how_to_get_it(
    folder: Callable[..., str], there: str, missing: str
) -> None:
    with pytest.raises(BackendError, match=f"program {missing}.*tools/control-plane/build.sh.*setup-envtest"):
        find_binaries({"PATH": folder("p", there)})


def test_the_backend_is_not_made_without_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("PATH", "KUBEBUILDER_ASSETS", "TEST_ASSET_ETCD"):
        monkeypatch.delenv(variable, raising=False)
    simulation = SimOptions("a30-24gb", gpus_per_node=1, gpu_nodes=1, faults=(), release="v26.7.0", seed=0)

    with pytest.raises(BackendError, match="--cluster control-plane needs the program etcd"):
        make_backend(Choice("control-plane", "run-1", simulation))


def test_a_scheduler_fault_needs_the_simulated_scheduler() -> None:
    faulty = SimOptions(
        "a30-24gb", gpus_per_node=1, gpu_nodes=1, faults=("scheduler-gives-no-reason",), release="v26.7.0", seed=0
    )

    with pytest.raises(BackendError, match="scheduler of its own, which cannot have scheduler-gives-no-reason"):
        make_backend(Choice("live", "run-1", faulty, simulate_gpus=True))
