"""Every case can fail: each fault of the simulator turns exactly its cases red."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from pathlib import Path
from typing import Any, TypeGuard

import pytest

from conformance.sim.faults import FAULTS
from tests.cases.matrix import NAMED, load, red_cases, running, unrelated
from tests.slow import ASKED_FOR, slow
from tools.catalogue import find_cases

MATRIX = load()
CORE = "--profile=core"
REQUIREMENTS = {entry.name: frozenset(entry.declaration.requirements) for entry in find_cases()}


@pytest.fixture(scope="session")
def reports(request: pytest.FixtureRequest) -> Iterator[Mapping[str, Future[Any]]]:
    """The report of every fault that is asked for, a few runs at a time."""
    chosen = [item for item in request.session.items if ASKED_FOR or not item.get_closest_marker(slow.name)]
    asked = [str(item.callspec.params["fault"]) for item in chosen if uses(item)]
    with running(asked, MATRIX) as futures:
        yield futures


def uses(item: pytest.Item) -> TypeGuard[pytest.Function]:
    """Whether a test of this module needs a report."""
    return isinstance(item, pytest.Function) and item.path == Path(__file__) and "reports" in item.fixturenames


def failed_requirements(report: Mapping[str, Any]) -> set[str]:
    return {row["id"] for row in report["requirements"] if row["outcome"] == "failed"}


def row(fault: str) -> Any:
    """One fault as a parameter: a run of the full profile takes three times as long as one of the core profile."""
    return pytest.param(fault, marks=() if CORE in MATRIX[fault].options else slow)


@pytest.mark.parametrize("fault", [row(fault.name) for fault in FAULTS])
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
