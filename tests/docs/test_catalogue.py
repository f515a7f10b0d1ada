"""docs/catalogue.md says what the code says: a case, scenario or fault cannot be added without it."""

import pytest

from conformance.sim.faults import FAULTS
from conformance.spec.requirements import REQUIREMENTS
from tools import catalogue


def test_page_is_current() -> None:
    assert catalogue.PAGE.read_text(encoding="utf-8") == catalogue.render(), f"run `{catalogue.COMMAND}`"


def test_every_case_scenario_fault_and_requirement_is_in_it() -> None:
    page = catalogue.PAGE.read_text(encoding="utf-8")
    names = [case.name for case in catalogue.find_cases()] + [fault.name for fault in FAULTS]
    names += [scenario.name for scenario in catalogue.find_scenarios()]

    assert [name for name in names if f"`{name}`" not in page] == []
    assert [name for name in REQUIREMENTS if name not in page] == []


def test_every_scenario_has_a_case() -> None:
    used = {type(case.declaration.scenario) for case in catalogue.find_cases()}

    assert {type(scenario) for scenario in catalogue.find_scenarios()} == used


def test_a_requirement_without_case_and_reason_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    cases = [case for case in catalogue.find_cases() if "D-28" not in case.declaration.requirements]
    monkeypatch.setattr(catalogue, "untested_reasons", lambda: {"D-01": "none", "D-99": "none"})
    monkeypatch.setattr(catalogue, "find_cases", lambda: cases)

    with pytest.raises(catalogue.CatalogueError) as raised:
        catalogue.render()

    assert "D-01 has a case now: take it out of tools/untested.yaml" in str(raised.value)
    assert "there is no requirement D-99" in str(raised.value)
    assert "D-28 has no case: say why in tools/untested.yaml" in str(raised.value)
