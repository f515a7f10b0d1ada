"""Starting chromium, and what tests and tools do with it."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path
from typing import Any, Final, Literal

from selenium import webdriver
from selenium.webdriver import Chrome
from selenium.webdriver.chrome.service import Service

REASON = "no chromium and chromedriver on PATH; install them with: apt-get install chromium chromium-driver"
DESKTOP, PHONE = (1280, 900), (390, 844)


def find_programs() -> tuple[str, str] | None:
    """Paths of chromium and chromedriver; None unless both are there."""
    browser, driver = shutil.which("chromium"), shutil.which("chromedriver")
    return (browser, driver) if browser and driver else None


def start(program: str, driver: str) -> Chrome:
    """A browser that keeps what it says on the console and what it does on the network."""
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--hide-scrollbars"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    return Chrome(options=options, service=Service(driver))


def look(browser: Chrome, size: tuple[int, int], scheme: Literal["light", "dark"]) -> None:
    """Give the page a size and a colour scheme."""
    width, height = size
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def picture(browser: Chrome) -> bytes:
    """What the window shows, as PNG."""
    shot: dict[str, str] = browser.execute_cdp_cmd("Page.captureScreenshot", {"format": "png"})
    return base64.b64decode(shot["data"])


CHART_IS_SEEN: Final = (
    "document.querySelector('#chart .vis-item.vis-range')?.checkVisibility({visibilityProperty: true}) ?? false"
)
"""JavaScript: whether the timeline is on the screen; vis-timeline makes its items first, and shows them later."""


def complaints(browser: Chrome) -> list[str]:
    """Lines of the console since they were read last."""
    return [entry["message"] for entry in browser.get_log("browser")]


def requests(browser: Chrome) -> list[str]:
    """Addresses that were requested since they were read last."""
    messages: list[Any] = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    return [one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"]


def address(page: Path) -> str:
    """The address of a file."""
    return page.resolve().as_uri()
