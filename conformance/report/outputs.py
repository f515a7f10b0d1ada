"""The files that are made from a report alone; each has one writer."""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from conformance.report.brief import SUMMARY_FILE, summary_text
from conformance.report.html.writer import PAGE_FILE, page_text
from conformance.report.metrics import METRICS_FILE, metrics_text
from conformance.report.model import Report

WRITERS: Final[Mapping[str, Callable[[Report], str]]] = {
    PAGE_FILE: page_text,
    METRICS_FILE: metrics_text,
    SUMMARY_FILE: summary_text,
}
"""Text by name of the file in the report folder."""


def write_outputs(folder: Path, report: Report) -> None:
    """Write every file, each as a whole or not at all."""
    for name, text in WRITERS.items():
        write_whole(folder / name, text(report))


def check_outputs(folder: Path, *others: str) -> None:
    """Check that no file of the folder, nor one of the others, is a folder.

    Raises:
        OSError: One is, so that it could not be replaced.
    """
    for name in (*WRITERS, *others):
        if (path := folder / name).is_dir():
            raise OSError(errno.EISDIR, f"{name} is a folder", str(path))


def remove_outputs(folder: Path) -> None:
    """Remove the files of an earlier run."""
    for name in WRITERS:
        (folder / name).unlink(missing_ok=True)


def write_whole(path: Path, text: str) -> None:
    """Write a file as a whole or not at all.

    Raises:
        OSError: It cannot be written; the error names it, and nothing is left beside it.
    """
    draft = path.with_name(f".{path.name}.new")
    try:
        draft.write_text(text, encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink()
        raise OSError(error.errno, error.strerror, str(path)) from error
