"""Stretches packed small: one text for each node, which the page unpacks when somebody opens the node."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from typing import Any

from conformance.report.html.timeline import Stretch


class _Words:
    """Texts by number, in the order of their first use."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}

    def number(self, text: str) -> int:
        return self._numbers.setdefault(text, len(self._numbers))

    def all(self) -> list[str]:
        return list(self._numbers)


def packed(data: Any) -> str:
    """Return JSON, compressed with gzip, as base64. The same data give the same text."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode("ascii")


def table(found: Sequence[Stretch]) -> dict[str, Any]:
    """Return lanes, words and rows of stretches. A row is six numbers: lane, start, length, text, tone and detail.

    Texts are numbers of `words`. Times are in milliseconds; a start is the time since the start of the row before, and
    a length of -1 is a moment.
    """
    words, lanes = _Words(), dict[tuple[str, str], int]()
    rows: list[int] = []
    before = 0
    for one in found:
        start = round(one.start * 1000)
        rows += (
            lanes.setdefault((one.group.value, one.lane), len(lanes)),
            start - before,
            -1 if one.end is None else round(one.end * 1000) - start,
            words.number(one.text),
            words.number(one.tone),
            words.number(one.detail),
        )
        before = start
    return {"lanes": [list(lane) for lane in lanes], "words": words.all(), "rows": rows}
