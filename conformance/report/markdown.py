"""Parts of Markdown pages: text that is taken literally, and tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>|#~]|&(?=#?\w+;))")
_WIDTH: Final = 200
"""Characters of a cell of a table."""


def literal(text: str) -> str:
    """Return text that Markdown shows as it is, in one line."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))


def code(text: str) -> str:
    """Return text as code in one line; it may have backticks itself."""
    line = " ".join(text.split())
    fence = "`" * (1 + max((len(run) for run in re.findall(r"`+", line)), default=0))
    inner = f" {line} " if line.startswith("`") or line.endswith("`") else line
    # A pipe ends a cell of a table even within code.
    return f"{fence}{inner}{fence}".replace("|", "\\|") if line else ""


def shortened(text: str, most: int = _WIDTH) -> str:
    """Return the beginning of a text, with an ellipsis if it is longer."""
    return text if len(text) <= most else f"{text[: most - 1]}…"


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table; cells are Markdown. Nothing if there are no rows."""
    found = list(rows)
    if found:
        yield ""
        for row in (head, ["---"] * len(head), *found):
            yield f"| {' | '.join(row)} |"
