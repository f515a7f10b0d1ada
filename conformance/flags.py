"""Command-line options as fields of a dataclass: declared once, offered by any parser, read back into the dataclass.

A field with `metadata=flag(...)` is an option. Its default says what kind of option: a field that is False or True by
default is a switch that turns it over, one that is `()` may be given several times, every other one takes a value.
"""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, Field, dataclass, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NoReturn, TypeVar

import yaml

NOT_BEGUN: Final = 4
"""Exit status of a command that could not begin; pytest has the same."""
_KEY: Final = "flag"
_Table = TypeVar("_Table")
_Word = TypeVar("_Word", bound=StrEnum)


class OptionError(ValueError):
    """The value of an option is invalid; the message names the option and says what is valid."""


class CommandParser(ArgumentParser):
    """A parser that tells a wrong command line in one line and ends with `NOT_BEGUN`; argparse has 2 for that."""

    def error(self, message: str) -> NoReturn:
        """End the program."""
        self.exit(NOT_BEGUN, f"ERROR: {message}; see `{self.prog} --help`\n")


@dataclass(frozen=True)
class Flag:
    """How a field is given on a command line.

    Attributes:
        names: The option and its aliases, with their dashes.
        help: What it means; without the default, which is added.
        metavar: Stands for the value in the help; empty for the parser's own.
        read: From the text of one value to what the field holds; raises ValueError, which says what is valid.
        default: Says in the help what happens without the option; None shows the field's own default.
        shared: Whether every program offers it; False: only the one whose table it is, see `declare`.
    """

    names: tuple[str, ...]
    help: str
    metavar: str
    read: Callable[[str], Any]
    default: str | None
    shared: bool

    @property
    def dest(self) -> str:
        """Name under which a parser keeps the value."""
        return self.names[0].removeprefix("--").replace("-", "_")


def some_text(text: str) -> str:
    """Read a text that is not empty: an empty one is most likely a variable of a shell that is not set."""
    if not text:
        raise ValueError("takes a value that is not empty")
    return text


def flag(
    *names: str,
    help: str,  # noqa: A002 - as argparse calls it
    metavar: str = "",
    read: Callable[[str], Any] = some_text,
    default: str | None = None,
    shared: bool = True,
) -> dict[str, Flag]:
    """Return the metadata of a field that is an option; the arguments are the attributes of `Flag`."""
    return {_KEY: Flag(names, help, metavar, read, default, shared)}


def flags(table: type, *, shared_only: bool = False) -> Iterator[tuple[Field[Any], Flag]]:
    """Yield the fields of a dataclass that are options, in order."""
    for field in fields(table):
        found: Flag | None = field.metadata.get(_KEY)
        if found is not None and (found.shared or not shared_only):
            yield field, found


def declare(table: type, add: Callable[..., Any], *, shared_only: bool = False) -> None:
    """Add the options of a table to a parser.

    Args:
        table: The dataclass.
        add: `add_argument` of argparse or `addoption` of pytest.
        shared_only: Whether to leave out the options that are not `shared`.
    """
    for field, found in flags(table, shared_only=shared_only):
        add(*found.names, dest=found.dest, default=None, help=_help(field, found), **_kind(field, found))


def read(table: type[_Table], values: Mapping[str, Any], **others: Any) -> _Table:
    """Build a table from the given values; an option that was not given keeps its default.

    Args:
        table: The dataclass.
        values: What a parser found, by `Flag.dest`; None or absent: not given.
        others: Values of fields that are not options.

    Raises:
        OptionError: A value is invalid for its option.
        ValueError: The dataclass refuses the values.
    """
    given = {
        field.name: _value(found, values[found.dest])
        for field, found in flags(table)
        if values.get(found.dest) is not None
    }
    return table(**given, **others)


def whole_number(text: str) -> int:
    """Read an integer."""
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"takes a whole number, not {text}") from None


def positive_number(text: str) -> int:
    """Read an integer from 1."""
    if not (text.isascii() and text.isdecimal()) or int(text) < 1:
        raise ValueError(f"takes a whole number from 1, not {text}")
    return int(text)


def number(text: str) -> float:
    """Read a number."""
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"takes a number, not {text}") from None


def one_of(*values: str) -> Callable[[str], str]:
    """Make the reader of an option that takes one of a few words."""

    def read_word(text: str) -> str:
        if text not in values:
            raise ValueError(f"takes one of {', '.join(values)}, not {text}")
        return text

    return read_word


def member_of(words: type[_Word]) -> Callable[[str], _Word]:
    """Make the reader of an option that takes the value of a `StrEnum` member."""
    read_word = one_of(*words)
    return lambda text: words(read_word(text))


def on_or_off(text: str) -> bool:
    """Read `on` as True and `off` as False."""
    return one_of("on", "off")(text) == "on"


def path(text: str) -> Path:
    """Read a path: `~` is the home folder, a relative path is relative to the current folder.

    An empty text is refused: it is most likely a variable of a shell that is not set, and not the current folder.
    """
    if not text:
        raise ValueError("takes a path that is not empty; is a variable of the shell not set?")
    return Path(text).expanduser().absolute()


def why_unreadable(error: Exception) -> str:
    """Say in one line why a file of the user cannot be read: the error of opening it, or that of a parser."""
    if isinstance(error, OSError):
        return str(error.strerror)
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return " ".join(str(error).split())


def _kind(field: Field[Any], found: Flag) -> dict[str, Any]:
    """What `add_argument` needs for the kind of option."""
    if isinstance(field.default, bool):
        return {"action": "store_const", "const": not field.default}
    metavar = {"metavar": found.metavar} if found.metavar else {}
    return {"action": "append", **metavar} if field.default == () else metavar


def _help(field: Field[Any], found: Flag) -> str:
    default = found.default
    if default is None and field.default not in (MISSING, None, (), "") and not isinstance(field.default, bool):
        default = str(field.default)
    text = f"{found.help}; may be repeated" if field.default == () else found.help
    if default:
        text = f"{text} (default: {default})"
    return text.replace("%", "%%")


def _value(found: Flag, given: Any) -> Any:
    if isinstance(given, bool):
        return given
    try:
        return tuple(map(found.read, given)) if isinstance(given, list) else found.read(given)
    except ValueError as error:
        raise OptionError(f"{found.names[0]} {error}") from error
