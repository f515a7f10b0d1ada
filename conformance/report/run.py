"""The record of a run while it goes on: the fixtures fill it, the report reads it."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from conformance.report.model import Case, Environment, Outcome, Restore, TimelineEntry

CASES: Final = Path(__file__).resolve().parents[1] / "cases"


def _no_timelines() -> Mapping[str, Sequence[TimelineEntry]]:
    return {}


@dataclass
class Run:
    """What is known of the run so far.

    Attributes:
        backend: Value of --cluster; empty until a backend was started.
        simulated_gpus: Whether the GPUs are simulated.
        environment: Versions and nodes, as found.
        made: Provisionings so far.
        asked: Ids of the distinct states that cases asked for.
        visited: Ids of the states in the order of their provisioning.
        restore: Result of putting back what was found; `not-needed` while nothing was changed.
        timelines: Gives the timelines of all nodes when the report is written.
        narrowed: Reasons for which the run does not cover everything, for example `-m single`.
        not_allowed: Reason by case id, for cases that were left out for want of a permission.
        selected: Ids of the cases that are to run; empty until they were collected.
        cases: Finished cases by id.
    """

    backend: str = ""
    simulated_gpus: bool = False
    environment: Environment = field(default_factory=Environment)
    made: int = 0
    asked: set[str] = field(default_factory=set)
    visited: list[str] = field(default_factory=list)
    restore: Restore = field(default_factory=Restore)
    timelines: Callable[[], Mapping[str, Sequence[TimelineEntry]]] = _no_timelines
    narrowed: list[str] = field(default_factory=list)
    not_allowed: dict[str, str] = field(default_factory=dict)
    selected: list[str] = field(default_factory=list)
    cases: dict[str, Case] = field(default_factory=dict)

    def ended(self, outcome: Outcome) -> list[Case]:
        """The cases that ended so, in the order in which they ran."""
        return [case for case in self.cases.values() if case.outcome is outcome]


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
