"""junit.xml: what it says, and that the schema which most readers go by accepts it."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import xmlschema

from conformance.operations.restored import Restore, RestoreOutcome
from conformance.report.run import Run
from tests.report.inner import Inner, StandIn

pytest_plugins = ["pytester"]

SCHEMA = Path(__file__).parent / "schemas" / "junit-10.xsd"
CHOICE = '<xs:element ref="skipped"/>'
"""The first of the elements that a test case may have."""
CASES = """
import pytest

@pytest.fixture
def broken():
    raise TimeoutError("nvidia.com/gpu: <7> & \\x1b[31m8")

@pytest.fixture
def breaks_later():
    yield
    raise TimeoutError("still there")

@pytest.mark.requirement("D-06", "D-09")
def test_core(): print("seen")

@pytest.mark.requirement("D-10")
def test_extended(): assert 7 == 8, "nvidia.com/gpu: <7> & \\x00"

@pytest.mark.requirement("D-06")
def test_broken(broken): pass

@pytest.mark.requirement("D-06")
def test_twice(breaks_later): assert False

@pytest.mark.requirement("D-06")
def test_blocked(): pytest.skip("blocked by another")

@pytest.mark.requirement("D-06")
def test_skipped(): pytest.skip("the node has one GPU")
"""


@pytest.fixture
def junit(inner: Inner) -> ET.Element:
    """What a run with every kind of outcome writes."""
    inner.pytester.makepyfile(test_inner=CASES)

    def start(run: Run) -> None:
        run.blocked.add("test_inner.py::test_blocked")

    inner.run(stand_in=StandIn(start, Restore(RestoreOutcome.FAILED, ("sim-0: nvidia.com/mig.config is a, was b",))))
    return ET.parse(inner.reports / "junit.xml").getroot()  # noqa: S314 - our own file


def properties(parent: ET.Element) -> list[tuple[str | None, str | None]]:
    return [(found.get("name"), found.get("value")) for found in parent.findall("./properties/property")]


def test_suite_has_the_verdict_and_the_versions(junit: ET.Element) -> None:
    whole = dict(properties(junit[0]))

    assert (whole["verdict"], whole["restore"]) == ("not-certified", "failed")
    assert (whole["backend"], whole["gpus"]) == ("simulated", "simulated")


def test_case_has_its_requirements_and_its_level(junit: ET.Element) -> None:
    found = {case.get("name"): properties(case) for case in junit.iter("testcase")}

    assert found["test_core"] == [("requirement", "D-06"), ("requirement", "D-09"), ("level", "core")]
    assert found["test_extended"] == [("requirement", "D-10"), ("level", "extended")]


def test_schema_accepts_it(junit: ET.Element) -> None:
    """Readers such as Jenkins's JUnit plug-in and Testmo take properties of a test case; this schema forgot them."""
    text = SCHEMA.read_text(encoding="utf-8")
    assert CHOICE in text
    with_properties = text.replace(CHOICE, f'{CHOICE}<xs:element ref="properties"/>')

    xmlschema.XMLSchema10(with_properties).validate(junit)


def test_schema_accepts_it_as_it_is_but_for_properties_of_test_cases(junit: ET.Element) -> None:
    for case in junit.iter("testcase"):
        for found in case.findall("properties"):
            case.remove(found)

    xmlschema.XMLSchema10(SCHEMA).validate(junit)
