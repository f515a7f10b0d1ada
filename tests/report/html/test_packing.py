"""What is packed can be unpacked."""

from __future__ import annotations

import base64
import gzip
import json
from typing import Any

from conformance.report.html.packing import packed, table
from conformance.report.html.timeline import Group, Stretch


def unpacked(text: str) -> Any:
    return json.loads(gzip.decompress(base64.b64decode(text)))


def test_packed_is_json_again() -> None:
    data = {"a": [1, "ü", None]}

    assert unpacked(packed(data)) == data
    assert packed(data) == packed(data)


def test_rows_of_a_table_name_lanes_and_words_by_number() -> None:
    found = [
        Stretch(Group.LABELS, "state", 1.5, 2.25, "pending", "busy", "a change"),
        Stretch(Group.LABELS, "state", 2.25, None, "pending", "bad", "a change"),
    ]

    assert table(found) == {
        "lanes": [["labels", "state"]],
        "words": ["pending", "busy", "a change", "bad"],
        "rows": [0, 1500, 750, 0, 1, 2, 0, 750, -1, 0, 3, 2],
    }
