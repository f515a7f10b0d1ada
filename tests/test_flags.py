"""An option is declared once, as a field; parsers and the dataclass follow."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from conformance.flags import (
    OptionError,
    declare,
    flag,
    flags,
    number,
    on_or_off,
    one_of,
    path,
    positive_number,
    read,
    some_text,
    whole_number,
)


@dataclass(frozen=True)
class Table:
    name: str = field(default="a", metadata=flag("--name", help="who"))
    size: int = field(default=8, metadata=flag("--size", "--big", read=whole_number, help="up to 50% of it"))
    tags: tuple[int, ...] = field(default=(), metadata=flag("--tag", read=whole_number, help="tags"))
    loud: bool = field(default=False, metadata=flag("--loud", help="be loud"))
    quick: bool = field(default=True, metadata=flag("--not-quick", help="take time", shared=False))
    limit: float | None = field(default=None, metadata=flag("--limit", read=number, help="limit", default="by size"))
    other: str = "no option"

    def __post_init__(self) -> None:
        if self.size > 50:
            raise ValueError("too large")


def parser(*, shared_only: bool = False) -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(exit_on_error=False)
    declare(Table, made.add_argument, shared_only=shared_only)
    return made


def given(*arguments: str) -> Table:
    return read(Table, vars(parser().parse_args(arguments)))


def test_nothing_given_is_the_dataclass_as_it_is() -> None:
    assert given() == Table()
    assert read(Table, {}) == Table()


def test_every_kind_of_option() -> None:
    made = given("--name=b", "--big=9", "--tag=1", "--tag", "2", "--loud", "--not-quick", "--limit=0.5")

    assert made == Table("b", 9, (1, 2), loud=True, quick=False, limit=0.5)


def test_a_field_that_is_no_option_is_given_by_the_program() -> None:
    assert read(Table, {"name": "b"}, other="mine") == Table(name="b", other="mine")
    assert [found.names for _, found in flags(Table)][1] == ("--size", "--big")


def test_an_option_of_one_program_is_not_offered_by_others() -> None:
    assert "--not-quick" not in parser(shared_only=True).format_help()
    assert "--not-quick" in parser().format_help()


def test_help_says_the_default_and_that_it_may_be_repeated() -> None:
    shown = " ".join(parser().format_help().split())

    assert "up to 50% of it (default: 8)" in shown
    assert "limit (default: by size)" in shown
    assert "tags; may be repeated" in shown
    assert "be loud --not-quick take time" in shown


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--big=x"], "^--size takes a whole number, not x$"),
        (["--tag=1", "--tag=x"], "^--tag takes a whole number, not x$"),
        (["--limit=x"], "^--limit takes a number, not x$"),
        (["--size=51"], "^too large$"),
    ],
)
def test_a_wrong_value_is_told_with_the_option(arguments: list[str], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        given(*arguments)
    assert issubclass(OptionError, ValueError)


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "x", "", "\u00b2"])
def test_what_is_no_positive_number(text: str) -> None:
    with pytest.raises(ValueError, match="takes a whole number from 1"):
        positive_number(text)


def test_values() -> None:
    assert positive_number("12") == 12
    assert one_of("a", "b")("b") == "b"
    with pytest.raises(ValueError, match="takes one of a, b, not c"):
        one_of("a", "b")("c")
    assert (on_or_off("on"), on_or_off("off")) == (True, False)
    with pytest.raises(ValueError, match="takes one of on, off, not true"):
        on_or_off("true")
    assert path("~/x") == Path.home() / "x"
    assert path("x") == Path.cwd() / "x"
    assert path(".") == Path.cwd()
    with pytest.raises(ValueError, match="takes a path that is not empty"):
        path("")


def test_an_empty_text_is_refused() -> None:
    with pytest.raises(ValueError, match="takes a value that is not empty"):
        some_text("")
    assert some_text("a") == "a"
