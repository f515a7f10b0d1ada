"""Whatever the text, a table keeps its columns, and nothing becomes a link or a tag."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as some

from conformance.report.markdown import code, literal, shortened, table


@given(some.lists(some.tuples(some.text(), some.text()), min_size=1))
def test_a_table_has_the_columns_of_its_head_and_a_line_for_each_row(rows: list[tuple[str, str]]) -> None:
    lines = list(table(("a", "b"), ((literal(one), code(two)) for one, two in rows)))

    assert len(lines) == len(rows) + 3
    for line in lines[1:]:
        assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) == 3 or "\\\\|" in line
        assert len(line.splitlines()) == 1


@given(some.text())
def test_literal_text_has_no_character_that_means_something(text: str) -> None:
    assert not re.search(r"(?<!\\)[<>`\[\]]", literal(text).replace("\\\\", ""))


def test_an_entity_stays_as_it_was_written() -> None:
    assert literal("&lt;b&#62; & c") == r"\&lt;b\&\#62; & c"


def test_code_with_backticks_in_it() -> None:
    assert code("a `b` c") == "``a `b` c``"
    assert code("`b`") == "`` `b` ``"
    assert code("") == ""


def test_no_rows_no_table() -> None:
    assert not list(table(("a",), []))


def test_long_text_ends_with_an_ellipsis() -> None:
    assert shortened("abcdef", 4) == "abc…"
    assert shortened("abcd", 4) == "abcd"
