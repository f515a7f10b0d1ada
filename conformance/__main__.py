"""`mig-conformance` and `python -m conformance`: the suite from any working directory, with pytest's options."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from conformance.packaged_run import run_cases


def main(arguments: Iterable[str] | None = None) -> int:
    """Run all cases, or the command that the first argument names; returns the exit status.

    `restore` puts back what a run that was killed left, `preflight` says what keeps a run from judging, and `report`
    looks at reports; `-h` after one of them lists its options. Without a command, the arguments are options of pytest
    and of the suite.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given[:1] == ["restore"]:
        from conformance.suite.restore_command import main as restore

        return _say(*restore(given[1:]))
    if given[:1] == ["report"]:
        from conformance.report.command import main as report

        return _say(*report(given[1:]))
    if given[:1] == ["preflight"]:
        from conformance.suite.preflight_command import main as preflight

        status, text = preflight(given[1:])
        return _say(status, [text])
    return run_cases(given)


def _say(status: int, lines: Iterable[str]) -> int:
    print(*lines, sep="\n", file=sys.stderr if status == 4 else sys.stdout)
    return status


if __name__ == "__main__":
    sys.exit(main())
