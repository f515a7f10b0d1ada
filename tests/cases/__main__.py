"""`python -m tests.cases [FAULT ...]` runs every fault, or those named, and writes the detection matrix anew.

The entries `reason`, `options`, `without`, `sometimes` and `read-only` of `faults.yaml` are kept.
"""

from __future__ import annotations

import sys
from dataclasses import replace

from tests.cases.matrix import NAMED, Row, load, red_cases, running, unrelated, write


def main(chosen: list[str]) -> None:
    """Run the faults and write what they turn red; print those that need a reason."""
    rows = load()
    with running(chosen or NAMED, rows) as reports:
        for fault, report in reports.items():
            red = red_cases(report.result())
            rows.setdefault(fault, Row())
            rows[fault] = replace(rows[fault], red=tuple(case for case in red if case not in rows[fault].sometimes))
            print(f"{fault}: {len(red)} cases", flush=True)
            if unrelated(fault, red) and not rows[fault].reason:
                print(f"  needs a `reason` for {', '.join(unrelated(fault, red))}")
            write(rows)


if __name__ == "__main__":
    main(sys.argv[1:])
