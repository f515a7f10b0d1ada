"""The page as text: complete without scripts, small, and safe whatever the cluster says."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from conformance.report.html.writer import clock, page_text, repeats
from conformance.report.model import Report, Verdict
from tests.report.html.made import HOSTILE, large_report, small_report

LIMIT = 20_000_000
"""Bytes of the largest page."""


class Elements(HTMLParser):
    """Start tags of a page with their attributes, and its text outside of scripts and styles."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_data(self, data: str) -> None:
        if self._inside not in ("script", "style"):
            self.text += data

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - the parser gives it
        self._inside = ""


@pytest.fixture(scope="module")
def small() -> Report:
    return small_report()


def test_every_requirement_and_failure_is_there_without_scripts(small: Report) -> None:
    page = Elements(page_text(small))

    ids = {attributes.get("id") for _, attributes in page.tags}
    assert {row.id for row in small.requirements} <= ids
    assert {"failure-test-resources", "failure-test-reboot"} <= ids
    for text in (
        "nvidia.com/gpu: 56",
        "nvidia.com/gpu: 55",
        "the device plugin leaves one device out",
        "the node did not come back",
    ):
        assert text in page.text


def test_sources_are_links(small: Report) -> None:
    links = {attributes.get("href") for tag, attributes in Elements(page_text(small)).tags if tag == "a"}

    assert "https://github.com/NVIDIA/k8s-device-plugin/tree/v0.20.0/internal/rm" in links


def test_ids_are_unique_and_links_within_the_page_lead_somewhere(small: Report) -> None:
    tags = Elements(page_text(small)).tags
    ids = [attributes["id"] for _, attributes in tags if "id" in attributes]
    targets = {
        str(attributes["href"])[1:]
        for tag, attributes in tags
        if tag == "a" and str(attributes["href"]).startswith("#")
    }

    assert sorted(set(ids), key=str) == sorted(ids, key=str)
    assert targets <= set(ids)


def test_a_hostile_text_adds_no_element(small: Report) -> None:
    def names(report: Report) -> list[str]:
        return sorted(tag for tag, _ in Elements(page_text(report)).tags)

    hostile = names(small_report(HOSTILE))

    assert "img" not in hostile
    assert hostile.count("script") == names(small).count("script")
    assert "{{ 7*7 }}" in Elements(page_text(small_report(HOSTILE))).text


def test_nothing_is_loaded(small: Report) -> None:
    tags = Elements(page_text(small)).tags

    assert [tag for tag, attributes in tags if "src" in attributes or tag in ("link", "iframe", "object")] == []
    policy = next(attributes["content"] for tag, attributes in tags if "http-equiv" in attributes and tag == "meta")
    assert str(policy).startswith("default-src 'none'")


@pytest.mark.parametrize("verdict", list(Verdict))
def test_every_verdict_has_a_page(small: Report, verdict: Verdict) -> None:
    assert f'class="verdict {verdict}"' in page_text(small.model_copy(update={"verdict": verdict}))


def test_an_interrupted_run_has_a_page_that_says_so(small: Report) -> None:
    empty = {"interrupted": True, "cases": (), "functions": {}, "timelines": {}, "stays": {}, "evidence": {}}

    assert "The run was interrupted" in page_text(small.model_copy(update=empty))


def test_the_page_begins_with_its_type(small: Report) -> None:
    assert page_text(small).lstrip().startswith("<!doctype html>")


def test_a_node_takes_its_share_of_the_largest_page() -> None:
    """`python -m tests.report.html.sizes` makes the reports of 100 and 1,000 nodes, which take a minute."""

    def size(report: Report) -> int:
        return len(page_text(report).encode())

    fixed = size(large_report(0, 0, 0))
    assert fixed + 100 * (size(large_report(4, 30, 30)) - fixed) / 4 < LIMIT
    assert fixed + 100 * (size(large_report(4, 30, 30, 4, 10)) - fixed) / 4 < LIMIT, "where ten rules hold nowhere"
    assert fixed + 1000 * (size(large_report(40, 0, 12)) - fixed) / 40 < LIMIT


def test_lines_that_repeat_are_counted() -> None:
    assert repeats(["a", "a", "b", "a"]) == [("a", 2), ("b", 1), ("a", 1)]


def test_a_failed_requirement_leads_to_its_first_failure(small: Report) -> None:
    links = [
        attributes.get("href")
        for tag, attributes in Elements(page_text(small)).tags
        if attributes.get("class") == "chip failed" and tag == "a"
    ]

    assert links == ["#failure-test-resources", "#failure-test-reboot"]


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00:00"), (968.1, "0:16:08"), (90061, "25:01:01")])
def test_times_of_the_clock(seconds: float, text: str) -> None:
    assert clock(seconds) == text
