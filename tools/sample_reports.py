"""Makes reports/sample: a certified run, a failed run, and pictures of the pages of three faults.

    python -m tools.sample_reports

Runs the suite on the simulated cluster, five minutes in all, and takes the pictures with Debian's chromium.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Literal

from PIL import Image
from selenium.webdriver import Chrome
from selenium.webdriver.support.wait import WebDriverWait

from tests.report.html.browser import (
    CHART_IS_SEEN,
    DESKTOP,
    PHONE,
    REASON,
    address,
    find_programs,
    look,
    picture,
    start,
)

SAMPLE: Final = Path(__file__).parent.parent / "reports" / "sample"
CERTIFIED: Final = ("--gpu-model", "a30-24gb", "--gpu-nodes", "1", "--gpus-per-node", "2")
NARROW: Final = (
    *("--profile", "core", "--gpu-nodes", "1", "--gpus-per-node", "2"),
    *("--configuration", "all-disabled", "--configuration", "all-1g.10gb"),
)
FAULTS: Final = ("mig-manager-forgets-last-gpu", "mig-manager-leaves-paused", "plugin-count-off-by-one")
"""The first one is the failed run of the sample."""
KEPT: Final = ("index.html", "report.json", "junit.xml", "summary.md", "metrics.prom")
SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
VIEWS: Final = {"desktop": (DESKTOP[0], 1500), "phone": (PHONE[0], 1500)}
COLOURS: Final = 64
LONGEST_WAIT: Final = 30
"""Seconds that drawing a timeline may take."""


def main() -> None:
    """Run, keep what a reader needs, and take the pictures."""
    if (programs := find_programs()) is None:
        sys.exit(REASON)
    shutil.rmtree(SAMPLE, ignore_errors=True)
    with tempfile.TemporaryDirectory() as folder:
        _keep(_run(Path(folder) / "certified", *CERTIFIED), SAMPLE / "certified")
        runs = {fault: _run(Path(folder) / fault, *NARROW, "--fault", fault) for fault in FAULTS}
        _keep(runs[FAULTS[0]], SAMPLE / "failed")
        browser = start(*programs)
        try:
            for fault, reports in runs.items():
                for name, image in _pictures(browser, reports / "index.html"):
                    _save(image, SAMPLE / "pictures" / f"{fault}-{name}.png")
        finally:
            browser.quit()


def _run(reports: Path, *options: str) -> Path:
    """Run the suite; its exit status says what the report says too."""
    print(" ".join(("pytest", *options)))
    subprocess.run([sys.executable, "-m", "pytest", "-q", *options, "--report-dir", str(reports)], check=False)  # noqa: S603 - ourselves
    return reports


def _keep(reports: Path, folder: Path) -> None:
    folder.mkdir(parents=True)
    for name in KEPT:
        shutil.copy(reports / name, folder / name)


def _pictures(browser: Chrome, page: Path) -> Iterator[tuple[str, bytes]]:
    """Top of the page and timeline, for each width and colour scheme."""
    for view, size in VIEWS.items():
        for scheme in SCHEMES:
            look(browser, size, scheme)
            browser.get(address(page))
            yield f"{view}-{scheme}", picture(browser)
            browser.execute_script("document.getElementById('timeline').scrollIntoView()")
            WebDriverWait(browser, LONGEST_WAIT, poll_frequency=0.1).until(
                lambda driver: driver.execute_script(f"return {CHART_IS_SEEN}"), f"the timeline of {page}"
            )
            yield f"{view}-{scheme}-timeline", picture(browser)


def _save(image: bytes, path: Path) -> None:
    """Save a picture with few colours, which is what a page has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.open(io.BytesIO(image)).convert("RGB").quantize(COLOURS).save(path, optimize=True)


if __name__ == "__main__":
    main()
