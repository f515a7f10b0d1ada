"""The page in chromium: what scripts add, on a phone and on a desktop, light and dark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import pytest
from selenium.webdriver import Chrome, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.select import Select
from selenium.webdriver.support.wait import WebDriverWait

from conformance.report.html.writer import PAGE_FILE, page_text
from conformance.report.model import Report
from conformance.report.outputs import write_whole
from tests.report.html.browser import CHART_IS_SEEN, DESKTOP, PHONE, address, complaints, look, requests
from tests.report.html.made import HOSTILE, large_report, small_report

AXE = Path(__file__).parent / "vendor" / "axe-core" / "axe.min.js"
LONGEST_WAIT = 30
"""Seconds that a test waits for a script of the page."""


def show(browser: Chrome, folder: Path, report: Report) -> None:
    """Open the page of a report, and wait until its scripts have begun."""
    write_whole(folder / PAGE_FILE, page_text(report))
    browser.get(address(folder / PAGE_FILE))
    wait_for(browser, "document.readyState === 'complete'")


def wait_for(browser: Chrome, condition: str) -> None:
    WebDriverWait(browser, LONGEST_WAIT, poll_frequency=0.05).until(
        lambda _: browser.execute_script(f"return {condition}"), f"waited for {condition}"
    )


def by(browser: Chrome, selector: str) -> WebElement:
    return browser.find_element(By.CSS_SELECTOR, selector)


def draw(browser: Chrome) -> WebElement:
    """Bring the timeline into view, which draws it; return its chart."""
    browser.execute_script("document.getElementById('timeline').scrollIntoView()")
    wait_for(browser, CHART_IS_SEEN)
    return by(browser, "#chart")


def drawn(browser: Chrome, kind: str) -> list[str]:
    """Texts of the drawn items of a group of lanes, those in the window."""
    return [one.text for one in browser.find_elements(By.CSS_SELECTOR, f"#chart .vis-item.of-{kind}.vis-range")]


def status(browser: Chrome) -> str:
    return by(browser, "#timeline-status").text


def list_cases(browser: Chrome) -> None:
    """Bring the list of cases into view, which draws it."""
    browser.execute_script("document.getElementById('cases').scrollIntoView()")
    wait_for(browser, "document.getElementById('cases-status').textContent !== ''")


def rows(browser: Chrome) -> list[str]:
    return [one.text for one in browser.find_elements(By.CSS_SELECTOR, "#cases-table tbody tr")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing(
    browser: Chrome, folder: Path, size: tuple[int, int], scheme: Literal["light", "dark"]
) -> None:
    look(browser, size, scheme)
    show(browser, folder, small_report())
    draw(browser)
    list_cases(browser)
    browser.execute_script("for (const one of document.querySelectorAll('details')) one.open = true")
    browser.execute_script(AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = browser.execute_async_script("axe.run().then(arguments[0])")

    told = [(one["id"], one["help"], [node["html"][:200] for node in one["nodes"]]) for one in found["violations"]]
    assert told == [], json.dumps(told, indent=1)
    assert complaints(browser) == []


def test_nothing_is_requested_but_the_page(browser: Chrome, folder: Path) -> None:
    show(browser, folder, small_report())
    draw(browser)

    assert [url for url in requests(browser) if not url.startswith("data:")] == [address(folder / PAGE_FILE)]


def test_a_hostile_text_is_only_shown(browser: Chrome, folder: Path) -> None:
    show(browser, folder, small_report(HOSTILE))
    draw(browser)
    Select(by(browser, "#timeline-node")).select_by_index(1)
    wait_for(browser, "document.getElementById('timeline-status').textContent.startsWith('sim-1')")
    browser.execute_script("document.getElementById('changes').open = true")
    wait_for(browser, "document.querySelectorAll('#changes tbody tr').length > 0")

    assert browser.find_elements(By.CSS_SELECTOR, "img") == []
    assert HOSTILE.split("\u2028")[0].strip() in by(browser, "#changes tbody").text
    assert complaints(browser) == []


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_the_page_is_as_wide_as_the_window(browser: Chrome, folder: Path, size: tuple[int, int]) -> None:
    look(browser, size, "light")
    show(browser, folder, small_report("long-name-" * 12))
    draw(browser)

    wide = browser.execute_script(
        "return [...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > innerWidth"
        " && !one.closest('.scroll, nav, #chart, pre')).map((one) => one.outerHTML.slice(0, 200))"
    )
    assert (browser.execute_script("return document.documentElement.scrollWidth"), wide) == (size[0], [])


def test_cases_can_be_filtered(browser: Chrome, folder: Path) -> None:
    show(browser, folder, small_report())
    list_cases(browser)
    assert len(rows(browser)) == 6

    Select(by(browser, "#cases-outcome")).select_by_visible_text("failed")
    assert len(rows(browser)) == 2
    by(browser, "#cases-filter").send_keys("SIM-1")
    (row,) = rows(browser)
    assert row.startswith("failed D-06 The node MUST advertise nvidia.com/gpu")
    Select(by(browser, "#cases-requirement")).select_by_visible_text("D-24")
    assert by(browser, "#cases-status").text == "0 of 0 cases that match, 6 in all"


def test_a_requirement_leads_to_its_cases(browser: Chrome, folder: Path) -> None:
    show(browser, folder, small_report())
    browser.execute_script("document.querySelector('#D-24 a[data-function]').click()")
    wait_for(browser, "document.getElementById('cases-status').textContent !== ''")

    assert len(rows(browser)) == 3
    assert browser.current_url.endswith("#cases")


def test_many_cases_are_drawn_in_steps(browser: Chrome, folder: Path) -> None:
    show(browser, folder, large_report(nodes=150, cells=0, cases_per_cell=1))
    list_cases(browser)
    assert len(rows(browser)) == 100

    browser.execute_script("document.getElementById('cases-more').click()")
    assert len(rows(browser)) == 150
    assert not by(browser, "#cases-more").is_displayed()


def test_the_timeline_opens_at_the_first_failure(browser: Chrome, folder: Path) -> None:
    show(browser, folder, small_report())
    draw(browser)

    assert drawn(browser, "failures") == ["1 failed: D-06"]
    assert "single, all-disabled" in drawn(browser, "cell")
    assert "success" in drawn(browser, "labels")
    assert {"paused", "true"} <= set(drawn(browser, "deploy"))
    assert {"ready", "terminating"} <= set(drawn(browser, "pods"))
    assert {"0", "7"} <= set(drawn(browser, "allocatable"))


def test_the_timeline_is_moved_with_keys(browser: Chrome, folder: Path) -> None:
    show(browser, folder, small_report())
    chart = draw(browser)
    seen = [status(browser)]
    for key in ("0", "n", "p", "+", "-", Keys.ARROW_RIGHT, Keys.ARROW_LEFT):
        chart.send_keys(key)
        wait_for(browser, f"document.getElementById('timeline-status').textContent !== {json.dumps(seen[-1])}")
        seen.append(status(browser))

    assert "0:00:00 to 0:09" in seen[1]
    assert "0:05:51 to 0:09" in seen[2] or "0:02:51 to 0:06:09" in seen[2]
    assert complaints(browser) == []


def test_lanes_can_be_hidden_and_filtered(browser: Chrome, folder: Path) -> None:
    show(browser, folder, small_report())
    draw(browser)
    by(browser, "#timeline-groups input[value=pods]").click()
    wait_for(browser, "document.querySelectorAll('#chart .of-pods').length === 0")
    by(browser, "#timeline-filter").send_keys("mig.config.state")
    wait_for(browser, "document.querySelectorAll('#chart .of-deploy').length === 0")

    assert "success" in drawn(browser, "labels")
    assert drawn(browser, "cell") != []


def test_a_time_leads_to_the_timeline(browser: Chrome, folder: Path) -> None:
    show(browser, folder, small_report())
    browser.execute_script("document.querySelector('#failure-test-reboot a.time').click()")
    wait_for(browser, "document.getElementById('timeline-status').textContent.startsWith('sim-1, 0:02:51')")


def test_without_scripts_everything_but_timeline_and_list_is_there(browser: Chrome, folder: Path) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        write_whole(folder / PAGE_FILE, page_text(small_report()))
        browser.get(address(folder / PAGE_FILE))
        assert by(browser, "#failure-test-resources .found").is_displayed()
        assert by(browser, "#D-28").is_displayed()
        assert not by(browser, "#timeline .controls").is_displayed()
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_the_page_prints(browser: Chrome, folder: Path) -> None:
    show(browser, folder, small_report())

    assert len(browser.print_page()) > 10_000
    assert complaints(browser) == []


def test_a_very_long_word_does_not_widen_the_page(browser: Chrome, folder: Path) -> None:
    report = small_report()
    word = "W" * 1000
    cases = tuple(case.model_copy(update={"next_steps": (word,), "reason": word}) for case in report.cases)
    show(browser, folder, report.model_copy(update={"cases": cases, "reasons": (word,)}))

    assert browser.execute_script("return document.documentElement.scrollWidth") == DESKTOP[0]
