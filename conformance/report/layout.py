"""Rows of the terminal summary: a label and lines of text, wrapped to a width that suits CI logs."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

LABEL_WIDTH: Final = 14
_WIDTH: Final = 118
_FURTHER_INDENT: Final = 2


@dataclass(frozen=True)
class Row:
    """One row of the summary.

    Attributes:
        label: What it is about.
        lines: Lines of text; each is wrapped separately and keeps its indentation.
        colour: Name of a colour for the lines; None for the terminal's own.
    """

    label: str
    lines: tuple[str, ...]
    colour: str | None = None

    def rendered(self) -> Iterator[tuple[str, str]]:
        """Label (blank but for the first line, padded) and text of every line that is shown."""
        label = self.label
        for line in self.lines:
            for text in _wrapped(line):
                yield label.ljust(LABEL_WIDTH), text
                label = ""


def capped(items: Sequence[str], most: int) -> tuple[str, ...]:
    """Return the first `most` items and a line with the number of the others; a single further item is shown itself."""
    if len(items) <= most + 1:
        return tuple(items)
    return (*items[:most], f"and {len(items) - most} more")


def _wrapped(line: str) -> list[str]:
    indent = len(line) - len(line.lstrip())
    return textwrap.wrap(
        line,
        _WIDTH - LABEL_WIDTH,
        subsequent_indent=" " * (indent + _FURTHER_INDENT),
        break_long_words=False,
        break_on_hyphens=False,
    )
