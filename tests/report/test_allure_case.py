"""What Allure shows of one case."""

from __future__ import annotations

from typing import Any

import pytest
from attr import asdict

from conformance.expect.finding import Finding
from conformance.report.allure_case import result_of, status_of, title_of
from conformance.report.model import Case, CaseCell, CaseFunction, CauseClass, Outcome
from conformance.report.steps import Step

FUNCTION = CaseFunction(
    module="conformance/cases/test_resources.py",
    requirements=("D-06", "D-09"),
    level="core",
    scenario="LookAtRest",
    statement="Under `single` it MUST.",
    source="runbook, What it is; k8s-device-plugin v0.20.0, internal/rm.",
)
STEPS = (Step("Bring sim-0 to single, all-1g.10gb", 90.0, 99.5, (Step("state=success", 95.0, 95.0),)),)


def a_case(outcome: Outcome = Outcome.PASSED, **known: Any) -> Case:
    fields: dict[str, Any] = {
        "id": "conformance/cases/test_resources.py::test_single_gets_one_gpu[single-all-1g.10gb-sim-0]",
        "function": "test_single_gets_one_gpu",
        "node": "sim-0",
        "cell": CaseCell(strategy="single", configuration="all-1g.10gb"),
        "outcome": outcome,
        "duration": 1.5,
        "requirements": ("D-06", "D-09"),
    }
    return Case(**fields | known)


def shown(case: Case, **known: Any) -> dict[str, Any]:
    return dict(asdict(result_of(case, FUNCTION, **known)))


def labels(result: dict[str, Any], name: str) -> list[str]:
    return [label["value"] for label in result["labels"] if label["name"] == name]


@pytest.mark.parametrize(
    ("function", "title"),
    [
        ("test_single_advertises_every_device_as_a_gpu", "Single advertises every device as a GPU"),
        ("test_no_device_has_the_uuid_of_one_on_another_node", "No device has the UUID of one on another node"),
        ("test_nvidia_smi_lists_one_line_for_each_device", "nvidia-smi lists one line for each device"),
        ("test_gpus_without_mig", "GPUs without MIG"),
    ],
)
def test_titles_are_sentences(function: str, title: str) -> None:
    assert title_of(function) == title


def test_parameters_and_suites_are_those_of_the_place() -> None:
    result = shown(a_case())

    assert result["name"] == "Single gets one GPU"
    assert [(one["name"], one["value"]) for one in result["parameters"]] == [
        ("strategy", "single"),
        ("configuration", "all-1g.10gb"),
        ("node", "sim-0"),
    ]
    assert result["titlePath"] == ["single", "all-1g.10gb", "sim-0"]
    assert [labels(result, name) for name in ("parentSuite", "suite", "subSuite")] == [
        ["single"],
        ["all-1g.10gb"],
        ["sim-0"],
    ]


def test_a_change_of_strategy_names_the_cell_before() -> None:
    before = CaseCell(strategy="mixed", configuration="all-1g.10gb")

    assert shown(a_case(before=before))["parameters"][-1]["value"] == "mixed, all-1g.10gb"


@pytest.mark.parametrize(("level", "severity"), [("core", "critical"), ("extended", "normal")])
def test_severity_follows_the_level(level: str, severity: str) -> None:
    result = asdict(result_of(a_case(), FUNCTION.model_copy(update={"level": level})))

    assert (labels(result, "epic"), labels(result, "severity")) == ([level], [severity])


def test_requirements_are_tags_features_and_text_and_sources_are_links() -> None:
    result = shown(a_case())

    assert labels(result, "tag") == ["D-06", "D-09"]
    assert labels(result, "feature") == ["D-06 Resources under single", "D-09 Label and strategy are independent"]
    assert result["description"].startswith("Under `single` it MUST.\n\nSource: runbook")
    assert (
        "**D-06 Resources under single** (core): A node whose MIG devices all have one profile" in result["description"]
    )
    assert [link["url"] for link in result["links"]] == [
        "https://github.com/NVIDIA/k8s-device-plugin/tree/v0.20.0/internal/rm"
    ]


def test_a_finding_is_told_without_its_timeline_and_with_what_to_look_at() -> None:
    reason = "D-06 resources of node sim-0\n  expected    7\n  found       8\n  timeline    2.0 s ago  it changed"
    case = a_case(
        Outcome.FAILED, reason=reason, cause=CauseClass.PRODUCT, next_steps=("read the log",),
        finding=Finding(likely=("the device plugin counts wrong",)),
    )  # fmt: skip
    result = shown(case, trace="E   all of it")

    assert result["status"] == "failed"
    assert result["statusDetails"]["message"] == "D-06 resources of node sim-0\n  expected    7\n  found       8"
    assert result["statusDetails"]["trace"] == "E   all of it"
    assert result["description"].endswith(
        "**Likely**\n\n- the device plugin counts wrong\n\n**Look at next**\n\n- read the log"
    )
    assert labels(result, "cause") == ["product"]


def test_steps_come_with_their_moments_and_end_in_the_judgement() -> None:
    result = shown(a_case(), steps=STEPS, begun=100.0)

    first, last = result["steps"]
    assert (first["name"], first["start"], first["stop"]) == ("Bring sim-0 to single, all-1g.10gb", 90_000, 99_500)
    assert [step["name"] for step in first["steps"]] == ["state=success"]
    assert (last["name"], last["status"]) == ("Compare the evidence with what must hold", "passed")
    assert (result["start"], result["stop"]) == (100_000, 101_500)


@pytest.mark.parametrize(
    ("outcome", "cause", "status", "said"),
    [
        (Outcome.PASSED, None, "passed", "Compare the evidence with what must hold"),
        (Outcome.FAILED, CauseClass.PRODUCT, "failed", "Compare the evidence with what must hold"),
        (Outcome.ERROR, CauseClass.PRODUCT, "failed", "Not judged: error"),
        (Outcome.ERROR, CauseClass.SUITE, "broken", "Not judged: error"),
        (Outcome.INCONCLUSIVE, CauseClass.ENVIRONMENT, "skipped", "Not judged: inconclusive"),
        (Outcome.INCONCLUSIVE, CauseClass.SUITE, "broken", "Not judged: inconclusive"),
        (Outcome.BLOCKED, CauseClass.PRODUCT, "skipped", "Not judged: blocked"),
        (Outcome.BLOCKED, CauseClass.SUITE, "skipped", "Not judged: blocked"),
        (Outcome.SKIPPED, None, "skipped", "Not judged: skipped"),
    ],
)
def test_status_says_whose_fault_it_is(outcome: Outcome, cause: CauseClass | None, status: str, said: str) -> None:
    case = a_case(outcome, cause=cause)

    assert status_of(case) == status
    assert [step["name"] for step in shown(case)["steps"]] == [said]


def test_history_follows_a_case_at_its_place_and_nothing_else() -> None:
    other = a_case(node="sim-1")
    later = a_case(Outcome.FAILED, cause=CauseClass.PRODUCT)

    assert shown(a_case())["historyId"] == shown(later)["historyId"] != shown(other)["historyId"]
    assert shown(a_case())["testCaseId"] == shown(other)["testCaseId"]


def test_a_test_that_is_no_case_has_no_place() -> None:
    result = asdict(result_of(a_case(cell=None, node="", function="", requirements=()), None))

    assert (result["parameters"], result["titlePath"], result["links"]) == ([], [], [])
