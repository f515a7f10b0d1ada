"""`mig-conformance report`: looks at reports that were written, without a cluster."""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from enum import IntEnum
from pathlib import Path

from conformance.flags import CommandParser
from conformance.report import comparison, merging
from conformance.report.exit_status import last_line
from conformance.report.model import Report, Required
from conformance.report.outputs import WRITERS, write_outputs, write_whole
from conformance.report.validation import ReportError, problems, read_report


class Exit(IntEnum):
    """Exit status."""

    FINE = 0
    NOT_FINE = 1
    NOT_BEGUN = 4


def main(arguments: Sequence[str]) -> tuple[int, Iterable[str]]:
    """Run a command; returns the exit status and the lines to print.

    0: as it should be. 1: what the command looks for is there. 4: the command could not begin; one line says why.
    """
    given = _parser().parse_args(arguments)
    try:
        status, lines = given.run(given)
    except OSError as error:
        return Exit.NOT_BEGUN, [f"ERROR: cannot open {error.filename}: {error.strerror}"]
    except ReportError as error:
        return Exit.NOT_BEGUN, [f"ERROR: {error}"]
    return status, lines


def _parser() -> argparse.ArgumentParser:
    parser = CommandParser(prog="mig-conformance report", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    validate = commands.add_parser(
        "validate", help="say whether a report.json is complete and does not contradict itself"
    )
    validate.add_argument("file", type=Path, metavar="FILE", help="the report.json")
    validate.set_defaults(run=_validate)
    what = "say what changed between two runs; exit status 1 if something is worse"
    compare = commands.add_parser("compare", help=what, description=what)
    compare.add_argument("old", type=Path, metavar="OLD", help="report.json of the earlier run")
    compare.add_argument("new", type=Path, metavar="NEW", help="report.json of the later run")
    compare.add_argument("--format", choices=("markdown", "json"), default="markdown", help="default: markdown")
    compare.set_defaults(run=_compare)
    what = "join runs of different nodes or strategies of one cluster into one report, and print its verdict"
    merge = commands.add_parser("merge", help=what, description=what)
    merge.add_argument("out", type=Path, metavar="OUT", help="the report.json to write")
    merge.add_argument("files", type=Path, metavar="FILE", nargs="+", help="report.json of a run")
    levels = [one.value for one in Required]
    merge.add_argument("--require", choices=levels, default="certified", help="least verdict for exit status 0")
    merge.set_defaults(run=_merge)
    what = "write the other files of a report, such as index.html, for example of a merged one"
    render = commands.add_parser("render", help=what, description=what)
    render.add_argument("file", type=Path, metavar="FILE", help="the report.json")
    render.add_argument("folder", type=Path, metavar="FOLDER", help="where the files go; it is made if it is not there")
    render.set_defaults(run=_render)
    return parser


def _validate(given: argparse.Namespace) -> tuple[int, list[str]]:
    try:
        found = problems(read_report(given.file))
    except ReportError as error:
        found = list(error.problems)
    if found:
        return Exit.NOT_FINE, [f"{given.file}: {line}" for line in found]
    return Exit.FINE, [f"{given.file}: sound"]


def _compare(given: argparse.Namespace) -> tuple[int, list[str]]:
    found = comparison.compare(_sound(given.old), _sound(given.new))
    text = comparison.comparison_text(found) if given.format == "markdown" else found.model_dump_json(indent=1)
    return Exit.NOT_FINE if found.regression else Exit.FINE, [text.rstrip()]


def _merge(given: argparse.Namespace) -> tuple[int, list[str]]:
    parts = [_sound(file) for file in given.files]
    _refuse_to_replace(given.out, parts)
    report = merging.merge(parts, Required(given.require))
    with _written(given.out):
        write_whole(given.out, report.model_dump_json(indent=1) + "\n")
    return report.exit_status, [*report.reasons, last_line(report, given.out)]


def _render(given: argparse.Namespace) -> tuple[int, list[str]]:
    report = _sound(given.file)
    with _written(given.folder):
        given.folder.mkdir(parents=True, exist_ok=True)
        write_outputs(given.folder, report)
    return Exit.FINE, [str(given.folder / name) for name in WRITERS]


@contextmanager
def _written(place: Path) -> Iterator[None]:
    """Tell what cannot be written from what cannot be read.

    Raises:
        ReportError: It cannot be written.
    """
    try:
        yield
    except OSError as error:
        raise ReportError(f"cannot write {error.filename or place}: {error.strerror}; name another place") from error


def _refuse_to_replace(out: Path, parts: Sequence[Report]) -> None:
    """Refuse to write over the report of a run that is not merged: who forgets OUT would lose the first FILE.

    Raises:
        ReportError: It is one, or no file at all.
    """
    if not out.exists():
        return
    if not out.is_file():
        raise ReportError(f"cannot write {out}: it is no file; OUT is the report.json to write")
    try:
        run = read_report(out).run
    except ReportError:
        return
    if run and merging.JOINT not in run and run not in [part.run for part in parts]:
        raise ReportError(
            f"{out} is the report of run {run}, which is none of the runs to merge; OUT, the file to write, comes "
            "first: name another one, or remove it"
        )


def _sound(file: Path) -> Report:
    """Read a report that does not contradict itself.

    Raises:
        ReportError: It is broken; the message names the file.
    """
    try:
        report = read_report(file)
    except ReportError as error:
        raise ReportError(f"{file}: {error}") from error
    if found := problems(report):
        raise ReportError(f"{file}: {'; '.join(found)}")
    return report
