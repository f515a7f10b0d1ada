"""What pytest was asked for: whether conformance cases are among it, and where they lie."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Final

import pytest

from conformance.report.run import Run

CASES: Final = Path(__file__).resolve().parents[1] / "cases"

RUN: Final = pytest.StashKey[Run]()
"""Where the configuration object of pytest keeps the `Run`; absent when no conformance case was asked for."""


def certifies(config: pytest.Config) -> bool:
    """Whether this pytest run was asked for conformance cases, and not only for tests of the suite itself."""
    return any(path.is_relative_to(CASES) or CASES.is_relative_to(path) for path in asked_paths(config))


def asked_paths(config: pytest.Config) -> list[Path]:
    """Files and folders that pytest was asked for, absolute; with `--pyargs` those of the packages named."""
    names = [str(arg).partition("::")[0] for arg in config.args]
    packages = [_package_path(name) if config.option.pyargs else None for name in names]
    return [
        (package or Path(config.invocation_params.dir, name)).resolve()
        for name, package in zip(names, packages, strict=True)
    ]


def case_files() -> set[Path]:
    """The modules that hold the conformance cases."""
    return set(CASES.glob("test_*.py"))


def _package_path(name: str) -> Path | None:
    """Where a package or module lies; None where the name is none, for `--pyargs` takes paths as well."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return None
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent if spec.submodule_search_locations else Path(spec.origin)
