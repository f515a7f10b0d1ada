from __future__ import annotations

import pytest

from conformance.suite.pace import MaxUnavailable, max_unavailable


@pytest.mark.parametrize(
    ("text", "total", "nodes"),
    [
        ("1", 9, 1),
        ("3", 9, 3),
        ("12", 9, 12),
        ("1%", 9, 1),
        ("25%", 8, 2),
        ("25%", 7, 1),
        ("99%", 1, 1),
        ("100%", 7, 7),
    ],
)
def test_a_share_is_rounded_down_to_at_least_one(text: str, total: int, nodes: int) -> None:
    assert max_unavailable(text).nodes_at_once(total) == nodes


@pytest.mark.parametrize("text", ["", "0", "-1", "1.5", "half", "%", "0%", "101%", "5%%", "5 %", "%5", "\u0663"])
def test_what_is_neither_a_number_nor_a_share(text: str) -> None:
    with pytest.raises(ValueError, match=r"takes a number of nodes from 1, or a share of them from 1% to 100%, not"):
        max_unavailable(text)


def test_it_is_a_value() -> None:
    assert max_unavailable("5%") == MaxUnavailable(5, percent=True)
    assert max_unavailable("5") == MaxUnavailable(5)
