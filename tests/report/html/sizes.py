"""How large the largest pages are, and how long they take to open: `python -m tests.report.html.sizes`.

Nothing is asserted. To compare with: a page is meant to stay under 20 MB and to open in chromium within 2 s.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from conformance.report.html.writer import PAGE_FILE, page_text
from conformance.report.outputs import write_whole
from tests.report.html.browser import REASON, address, find_programs, start
from tests.report.html.made import large_report

SIZES = {
    "full matrix, 100 nodes": (100, 30, 30, 3, 1),
    "full matrix, 100 nodes, ten rules hold nowhere": (100, 30, 30, 100, 10),
    "read-only, 1,000 nodes": (1000, 0, 12, 3, 1),
}
"""Nodes, cells of a node, cases in a cell, nodes on which rules do not hold, and how many."""
OPENED = "return performance.getEntriesByType('navigation')[0].loadEventEnd"


def main() -> None:
    programs = find_programs()
    if programs is None:
        sys.exit(REASON)
    for name, size_of in SIZES.items():
        report = large_report(*size_of)
        with tempfile.TemporaryDirectory() as folder:
            begun = time.monotonic()
            write_whole(Path(folder) / PAGE_FILE, page_text(report))
            written = time.monotonic() - begun
            page = Path(folder) / PAGE_FILE
            browser = start(*programs)
            try:
                browser.get(address(page))
                opened = browser.execute_script(OPENED) / 1000
            finally:
                browser.quit()
            size = page.stat().st_size / 1e6
            changes = sum(len(entries) for entries in report.timelines.values())
            told = f"{len(report.cases)} cases, {changes} changes, {size:.1f} MB"
            sys.stdout.write(f"{name}: {told}, written in {written:.1f} s, opened in {opened:.2f} s\n")


if __name__ == "__main__":
    main()
