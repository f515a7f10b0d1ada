"""`mig-conformance` and `python -m conformance`: the suite from any working directory, with pytest's options."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from conformance.flags import NOT_BEGUN
from conformance.packaged_run import run_cases

Ended = tuple[int, Iterable[str]]
"""Exit status, and the lines to print."""


@dataclass(frozen=True)
class Command:
    """What `mig-conformance` does beside running the cases.

    Attributes:
        summary: What it does, for the help.
        run: Runs it with its arguments. What it needs is imported then: a run needs none of it.
    """

    summary: str
    run: Callable[[Sequence[str]], Ended]


def _preflight(arguments: Sequence[str]) -> Ended:
    from conformance.suite.preflight_command import main

    return main(arguments)


def _restore(arguments: Sequence[str]) -> Ended:
    from conformance.suite.restore_command import main

    return main(arguments)


def _report(arguments: Sequence[str]) -> Ended:
    from conformance.report.command import main

    return main(arguments)


COMMANDS: Final[Mapping[str, Command]] = {
    "preflight": Command("say what keeps a run from judging a cluster, and how to fix it; changes nothing", _preflight),
    "restore": Command("put back what a run that was killed left in a cluster", _restore),
    "report": Command("validate, compare, merge or render reports", _report),
}


def main(arguments: Iterable[str] | None = None) -> int:
    """Run the command of `COMMANDS` that the first argument names, or all cases; returns the exit status.

    Without a command, the arguments are options of pytest and of the suite.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    name = given[0] if given else ""
    if name in COMMANDS:
        status, lines = COMMANDS[name].run(given[1:])
        _tell(lines, sys.stderr if status == NOT_BEGUN else sys.stdout)
        return status
    if _is_meant_as_command(name):
        print(f"ERROR: there is no command {name}; there are {', '.join(COMMANDS)}", file=sys.stderr)
        return NOT_BEGUN
    if {"-h", "--help"}.intersection(given):
        print(*_usage(), sep="\n", end="\n\n", flush=True)
    return run_cases(given)


def _tell(lines: Iterable[str], file: TextIO) -> None:
    """Print lines. A reader that has seen enough and closed its pipe, such as `head`, is no error."""
    try:
        print(*lines, sep="\n", file=file, flush=True)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), file.fileno())  # Python flushes once more when it ends


def _is_meant_as_command(name: str) -> bool:
    """Return whether a first argument is neither an option nor a test, which pytest takes too."""
    return bool(name) and not name.startswith("-") and not Path(name.partition("::")[0]).exists()


def _usage() -> Iterable[str]:
    width = max(map(len, COMMANDS))
    yield "usage: mig-conformance [options]               run the cases; the options are those below"
    yield "       mig-conformance COMMAND [options]       -h after a command lists its options"
    yield ""
    yield "commands:"
    yield from (f"  {name:{width}}  {command.summary}" for name, command in COMMANDS.items())


if __name__ == "__main__":
    sys.exit(main())
