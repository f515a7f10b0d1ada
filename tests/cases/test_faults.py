"""Every case can fail: each fault of the simulator turns exactly its cases red."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from typing import Any

import pytest

from conformance.sim.faults import FAULTS
from tests.cases.matrix import NAMED, load, red_cases, running, unrelated
from tools.catalogue import find_cases

MATRIX = load()
CORE = "--profile=core"
FULL_MATRIX = "MIG_FULL_MATRIX"
"""Environment variable: whether to compare the rows of the full profile too."""
REQUIREMENTS = {entry.name: frozenset(entry.declaration.requirements) for entry in find_cases()}


@pytest.fixture(scope="session")
def reports(request: pytest.FixtureRequest) -> Iterator[Mapping[str, Future[Any]]]:
    """The report of every fault that is asked for, a few runs at a time."""
    items = [item for item in request.session.items if "reports" in getattr(item, "fixturenames", ())]
    chosen = [item for item in items if os.environ.get(FULL_MATRIX) or not item.get_closest_marker("skipif")]
    asked = [str(item.callspec.params["fault"]) for item in chosen if isinstance(item, pytest.Function)]
    with running(asked, MATRIX) as futures:
        yield futures


def failed_requirements(report: Mapping[str, Any]) -> set[str]:
    return {row["id"] for row in report["requirements"] if row["outcome"] == "failed"}


def of_profile(profile: str) -> list[Any]:
    """The faults of the rows of one profile; those of the full profile take three times as long, see `make matrix`."""
    core = {name for name, row in MATRIX.items() if CORE in row.options}
    left_out = pytest.mark.skipif(not os.environ.get(FULL_MATRIX), reason=f"set {FULL_MATRIX}=1 to run it")
    if profile == "core":
        return [fault.name for fault in FAULTS if fault.name in core]
    return [pytest.param(fault.name, marks=left_out) for fault in FAULTS if fault.name not in core]


@pytest.mark.parametrize("fault", [*of_profile("core"), *of_profile("full")])
def test_fault_turns_exactly_its_cases_red(fault: str, reports: Mapping[str, Future[Any]]) -> None:
    report = reports[fault].result()
    red = red_cases(report)

    assert set(red).difference(MATRIX[fault].sometimes) == set(MATRIX[fault].red)
    assert failed_requirements(report) >= set(NAMED[fault])
    assert report["verdict"] == "not-certified"
    assert MATRIX[fault].reason or not unrelated(fault, red), f"say why in `reason`: {unrelated(fault, red)}"


def test_every_fault_has_its_cases() -> None:
    assert set(MATRIX) == set(NAMED)


def test_every_case_is_turned_red_by_a_fault_of_its_own_subject() -> None:
    own = {case for fault, row in MATRIX.items() for case in row.red if REQUIREMENTS[case].intersection(NAMED[fault])}

    assert set(REQUIREMENTS) - own == set()
