"""The record of a run while it goes on: the fixtures fill it, the report reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from conformance.report.model import Case, Environment, Outcome, Restore, TimelineEntry

CASES: Final = Path(__file__).parents[1] / "cases"


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
    cases: dict[str, Case] = field(default_factory=dict)

    @property
    def failed(self) -> list[Case]:
        """Cases that failed or broke, in the order in which they ran."""
        return [case for case in self.cases.values() if case.outcome in (Outcome.FAILED, Outcome.ERROR)]


RUN: Final = pytest.StashKey[Run]()
"""Where the configuration object of pytest keeps the `Run`; absent when no conformance case was asked for."""


def certifies(config: pytest.Config) -> bool:
    """Whether this pytest run was asked for conformance cases, and not only for tests of the suite itself."""
    paths = [Path(config.invocation_params.dir, str(arg).partition("::")[0]).resolve() for arg in config.args]
    return any(path.is_relative_to(CASES) or CASES.is_relative_to(path) for path in paths)
