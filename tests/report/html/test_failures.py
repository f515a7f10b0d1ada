"""Failures as the page shows them."""

from __future__ import annotations

from conformance.report.causes import doubted
from conformance.report.html.failures import failures, unjudged
from conformance.report.model import Outcome
from tests.report.html.made import small_report


def test_a_card_for_each_rule_core_first() -> None:
    first, second = failures(small_report())

    assert (first.name, first.nodes, first.judged) == ("test_resources", ("sim-0", "sim-1"), 3)
    assert (second.name, second.first.case.outcome) == ("test_reboot", Outcome.ERROR)


def test_a_place_knows_since_when_its_node_was_in_the_cell() -> None:
    first, second = failures(small_report())

    assert first.first.stay is not None
    assert first.first.stay.start == 0
    assert second.first.stay is not None
    assert second.first.stay.start == 180


def test_places_that_show_the_same_stand_together() -> None:
    first, second = failures(small_report())

    assert [[place.case.node for place in places] for _, places in first.alike] == [["sim-0", "sim-1"]]
    assert [[place.case.node for place in places] for _, places in second.alike] == [["sim-1"]]


def test_evidence_is_shown_once() -> None:
    report = small_report()
    shared = [case.model_copy(update={"evidence": "first"}) for case in report.cases]

    first, second = failures(report.model_copy(update={"cases": tuple(shared)}))

    assert first.evidence is not None
    assert (second.evidence, second.shown_in) == (None, first.anchor)


def test_cases_that_could_not_judge_are_listed_by_reason() -> None:
    assert [(one.outcome, one.reason, len(one.places)) for one in unjudged(small_report())] == [
        (Outcome.BLOCKED, "blocked by test_resources", 1),
        (Outcome.INCONCLUSIVE, "somebody changed the node", 1),
    ]


def test_cases_with_the_same_trouble_stand_together_with_what_each_would_say() -> None:
    report = small_report()
    said = ["D-20 pod x", "D-21 pod y", "D-21 pod y"]
    cases = [
        report.cases[0].model_copy(
            update={"outcome": Outcome.INCONCLUSIVE, "reason": f"inconclusive: {doubted('a taint', text)}"}
        )
        for text in said
    ]

    (group,) = unjudged(report.model_copy(update={"cases": tuple(cases)}))

    assert (group.reason, len(group.places), group.otherwise) == ("a taint", 3, ["D-20 pod x", "D-21 pod y"])
