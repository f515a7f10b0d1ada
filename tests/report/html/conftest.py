"""Debian's chromium, without a window, for tests that open the page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from selenium.webdriver import Chrome

from tests.report.html.browser import DESKTOP, REASON, find_programs, look, start


@pytest.fixture(scope="module")
def shared_browser() -> Iterator[Chrome]:
    """One browser for the tests of a module: it takes a second to start."""
    programs = find_programs()
    if programs is None:
        pytest.skip(REASON)
    browser = start(*programs)
    yield browser
    browser.quit()


@pytest.fixture
def browser(shared_browser: Chrome) -> Chrome:
    """The browser of the module with an empty page and empty logs, of a desktop and light."""
    look(shared_browser, DESKTOP, "light")
    shared_browser.get("about:blank")
    for log in ("browser", "performance"):
        shared_browser.get_log(log)
    return shared_browser


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the page of a test is written."""
    return tmp_path
