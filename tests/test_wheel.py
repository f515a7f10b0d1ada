"""The suite installed from a wheel, without its checkout."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from pathlib import Path

import pytest

from conformance.packaged_run import PACKAGE

ROOT = PACKAGE.parent


def do(*command: str | Path, folder: Path) -> str:
    """Run a program and return what it prints; it must succeed."""
    ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Folder of the programs of an environment with the wheel in it; its dependencies are those of this one."""
    source = tmp_path / "source"
    shutil.copytree(PACKAGE, source / PACKAGE.name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "-q"]
    do(*pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, source, folder=tmp_path)
    environment = tmp_path / "environment"
    venv.create(environment, symlinks=True)
    python = environment / "bin" / "python"
    (wheel,) = tmp_path.glob("*.whl")
    do(*pip, "--python", python, "install", "--no-deps", "--no-index", wheel, folder=tmp_path)
    packages = Path(do(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=tmp_path).strip())
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return environment / "bin"


def test_the_wheel_runs_in_an_empty_folder(programs: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    where = do(programs / "python", "-c", "import conformance; print(conformance.__file__)", folder=empty)
    small = ("--gpu-nodes=1", "--gpus-per-node=1", "--configuration=all-disabled")
    said = do(programs / "mig-conformance", "-m", "single", "--require=partial", *small, folder=empty)

    assert Path(where).is_relative_to(programs.parent)
    assert "<h1>partial</h1>" in (empty / "reports" / "index.html").read_text(encoding="utf-8")
    report = json.loads((empty / "reports" / "report.json").read_text(encoding="utf-8"))
    assert report["summary"]["failed"] == 0
    assert report["summary"]["passed"] > 0
    assert all(case["id"].startswith("conformance/cases/test_") for case in report["cases"])
    assert {path.name for path in empty.iterdir()} <= {"reports", ".pytest_cache"}
    assert "warning" not in said


def test_settings_of_the_package_are_those_of_the_checkout() -> None:
    shipped = tomllib.loads((PACKAGE / "settings.toml").read_text(encoding="utf-8"))["tool"]["pytest"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]

    assert {name: project.get(name) for name in shipped if name != "filterwarnings"} == {
        name: value for name, value in shipped.items() if name != "filterwarnings"
    }
