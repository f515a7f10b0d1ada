"""The folder of Allure's results: one file for each case, and what Allure reads beside them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from conformance.report.allure_results import CATEGORIES
from conformance.report.model import CaseCell
from conformance.report.observations import Evidence, LogExcerpt, PodStatus, TimelineEntry
from conformance.report.run import Place, Run
from conformance.report.steps import Step
from tests.report.inner import Inner, StandIn

pytest_plugins = ["pytester"]

CASES = """
import pytest

@pytest.fixture(scope="session")
def shared(): return 7

@pytest.mark.requirement("D-06")
@pytest.mark.parametrize("node", ["a", "b"])
def test_passes(shared, node): pass

@pytest.mark.requirement("D-06")
def test_fails(shared): assert shared == 8, "seven is not eight"

@pytest.mark.requirement("D-06")
def test_is_blocked(): pytest.skip("blocked by test_inner.py::test_fails: it failed")

@pytest.mark.requirement("D-06")
def test_not_judged(): pytest.skip("inconclusive: no answer")
"""
PASSED = "test_inner.py::test_passes[a]"


def start(run: Run) -> None:
    run.blocked.add("test_inner.py::test_is_blocked")
    run.could_not_judge("test_inner.py::test_not_judged", "sim-0", "no answer")
    run.places[PASSED] = Place("test_passes", "a", CaseCell(strategy="single", configuration="all-balanced"))
    run.steps = lambda name: [Step("Bring a", 1.0, 2.0)] if name == PASSED else []
    run.evidence["a in single-all-balanced"] = Evidence(
        node="a", taken=2.0,
        timeline=(TimelineEntry(time=1.0, kind="labels", subject="x", change="x=1"),),
        logs=(LogExcerpt(pod="mig-manager-x", container="main", lines=("one", "two")),),
        pods=(PodStatus(name="plugin-x", app="plugin", phase="Running", ready=True, restarts=0),),
        missing=("events: no right",),
    )  # fmt: skip
    for name in ("test_fails", "test_not_judged"):
        run.evidence_of[f"test_inner.py::{name}"] = "a in single-all-balanced"


@pytest.fixture
def folder(inner: Inner) -> Path:
    inner.pytester.makepyfile(test_inner=CASES)
    inner.run(stand_in=StandIn(start))
    return inner.reports / "allure-results"


def results(folder: Path) -> dict[str, dict[str, Any]]:
    found = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*-result.json")]
    return {result["fullName"].partition("#")[2] + str(result.get("titlePath", "")): result for result in found}


def test_there_is_one_file_for_each_case_and_evidence_is_shared(folder: Path) -> None:
    kinds = sorted(re.sub(r"^[0-9a-f-]{36}-", "", path.name) for path in folder.iterdir())

    assert kinds == [*["attachment.txt"] * 4, "categories.json", "environment.properties", *["result.json"] * 5]


def test_a_result_has_the_place_and_the_steps_of_its_case(folder: Path) -> None:
    result = results(folder)["test_passes['single', 'all-balanced', 'a']"]

    assert [step["name"] for step in result["steps"]] == ["Bring a", "Compare the evidence with what must hold"]


def test_a_failed_case_has_its_record_and_its_traceback(folder: Path) -> None:
    result = results(folder)["test_fails"]

    texts = {one["name"]: (folder / one["source"]).read_text(encoding="utf-8") for one in result["attachments"]}
    assert texts == {
        "timeline of a": "     1.000  x=1",
        "log of mig-manager-x main": "one\ntwo",
        "pods": "plugin-x: Running, ready: True",
        "what could not be read": "events: no right",
    }
    assert results(folder)["test_not_judged"]["attachments"] == result["attachments"]
    assert "seven is not eight" in result["statusDetails"]["trace"]


def test_every_case_that_did_not_pass_is_in_its_category(folder: Path) -> None:
    rules = json.loads((folder / "categories.json").read_text(encoding="utf-8"))
    assert rules == list(CATEGORIES)

    def category(result: dict[str, Any]) -> str:
        message = result.get("statusDetails", {}).get("message", "")
        fit = (
            rule["name"].partition(":")[0]
            for rule in rules
            if result["status"] in rule["matchedStatuses"]
            and re.fullmatch(rule.get("messageRegex", r"[\s\S]*"), message)
        )
        return next(fit, "")

    found = {name: category(result) for name, result in results(folder).items() if result["status"] != "passed"}
    assert found == {
        "test_fails": "Suite",  # an assertion that is no finding is the suite's own mistake
        "test_is_blocked": "Blocked",
        "test_not_judged": "Environment",
    }


def test_environment_names_verdict_and_backend(folder: Path) -> None:
    text = (folder / "environment.properties").read_text(encoding="ascii")

    assert text.startswith("verdict=not-certified\nbackend=simulated\n")


def test_allure_3_finds_its_configuration_beside_the_results(folder: Path) -> None:
    settings = json.loads((folder.parent / "allurerc.json").read_text(encoding="utf-8"))

    assert settings == {
        "name": "MIG conformance",
        "historyPath": "allure-history.jsonl",
        "categories": list(CATEGORIES),
    }


def test_results_of_the_last_run_go_and_its_history_stays(folder: Path, inner: Inner) -> None:
    (folder.parent / "allure-history.jsonl").write_text("{}\n", encoding="utf-8")
    trend = folder.parent / "allure-report" / "history" / "history-trend.json"
    trend.parent.mkdir(parents=True)
    trend.write_text("[]", encoding="utf-8")
    (folder / "old-result.json").write_text("{}", encoding="utf-8")

    inner.run(stand_in=StandIn(start))

    assert not (folder / "old-result.json").exists()
    assert len(results(folder)) == 5
    assert (folder / "history" / "history-trend.json").read_text(encoding="utf-8") == "[]"
    assert (folder.parent / "allure-history.jsonl").exists()


def test_alluredir_is_where_results_go_and_nothing_there_is_removed(inner: Inner) -> None:
    inner.pytester.makepyfile(test_inner="def test_it(): pass")
    mine = inner.pytester.path / "mine"
    mine.mkdir()
    (mine / "earlier-result.json").write_text("{}", encoding="utf-8")

    inner.run("--alluredir=mine")

    assert len(list(mine.glob("*-result.json"))) == 2
    assert (mine / "environment.properties").exists()
    assert not (inner.reports / "allure-results").exists()
    assert not (inner.pytester.path / "allurerc.json").exists()
