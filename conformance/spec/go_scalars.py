"""Scalars of YAML as go-yaml v2 resolves them.

Source: go.yaml.in/yaml v2.4.3, resolve.go and decode.go; keys of mappings: sigs.k8s.io/yaml v1.6.0, yaml.go.
"""

from __future__ import annotations

import base64
import binascii
import ctypes
import math
import re
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final

JsonScalar = str | int | float | bool | None


class Tag(StrEnum):
    """Tags that change how a scalar is read."""

    STRING = "tag:yaml.org,2002:str"
    BOOLEAN = "tag:yaml.org,2002:bool"
    INTEGER = "tag:yaml.org,2002:int"
    FLOAT = "tag:yaml.org,2002:float"
    NULL = "tag:yaml.org,2002:null"
    TIMESTAMP = "tag:yaml.org,2002:timestamp"
    BINARY = "tag:yaml.org,2002:binary"
    MERGE = "tag:yaml.org,2002:merge"


class ScalarError(ValueError):
    """The scalar does not fit its tag, or JSON cannot represent it."""


@dataclass(frozen=True)
class Scalar:
    """A resolved scalar.

    Attributes:
        tag: Its explicit tag, or the one that go-yaml chose.
        value: Its value.
    """

    tag: str
    value: JsonScalar

    def as_json(self) -> JsonScalar:
        """Return the value.

        Raises:
            ScalarError: JSON has neither infinite numbers nor NaN.
        """
        if isinstance(self.value, float) and not math.isfinite(self.value):
            raise ScalarError(f"json: unsupported value: {_NOT_FINITE[str(self.value)]}")
        return self.value


def _spelled(value: JsonScalar, tag: Tag, *words: str) -> dict[str, Scalar]:
    return {spelling: Scalar(tag, value) for word in words for spelling in (word, word.capitalize(), word.upper())}


_WORDS: Final = MappingProxyType(
    _spelled(True, Tag.BOOLEAN, "y", "yes", "true", "on")
    | _spelled(False, Tag.BOOLEAN, "n", "no", "false", "off")
    | _spelled(None, Tag.NULL, "", "~", "null")
    | _spelled(math.inf, Tag.FLOAT, ".inf", "+.inf")
    | {word: Scalar(Tag.FLOAT, math.inf) for word in (".Inf", "+.Inf")}
    | {word: Scalar(Tag.FLOAT, -math.inf) for word in ("-.inf", "-.Inf", "-.INF")}
    | {word: Scalar(Tag.FLOAT, math.nan) for word in (".nan", ".NaN", ".NAN")}
)
_NOT_FINITE: Final = MappingProxyType({"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"})
_INTEGER: Final = re.compile(
    r"(?P<sign>[-+]?)(?:0[xX](?P<x>[0-9a-fA-F]+)|0[bB](?P<b>[01]+)|0[oO]?(?P<o>[0-7]+)|(?P<d>0|[1-9]\d*))", re.ASCII
)
_BASES: Final = MappingProxyType({"x": 16, "b": 2, "o": 8, "d": 10})
_FLOAT: Final = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?", re.ASCII)
_FRACTION: Final = re.compile(r"\.\d+(_\d+)*([eE][-+]?\d+(_\d+)*)?", re.ASCII)
_TIMESTAMP: Final = re.compile(
    r"\d{4}-\d{1,2}-\d{1,2}([Tt ]\d{1,2}:\d{1,2}:\d{1,2}(\.\d+)?(Z|[-+]\d\d:\d\d)?)?", re.ASCII
)
_INT64: Final = range(-(2**63), 2**63)
_UINT64: Final = range(2**64)
_LONGEST_INTEGER: Final = 100
"""No longer text stands for a number of 64 bits, in no base, unless it has many zeros in front."""
_DIGITS_OF_FLOAT32: Final = 9


def resolve(text: str, tag: str = "", *, plain: bool = True) -> Scalar:
    """Return what a scalar stands for.

    Args:
        text: The scalar as written, without quotes.
        tag: Its explicit tag; empty for none.
        plain: Whether it is not quoted; a quoted scalar without a tag is text.

    Raises:
        ScalarError: The scalar does not fit its tag.
    """
    if tag == Tag.BINARY:
        return Scalar(tag, _decoded(text))
    if (not tag and not plain) or tag == Tag.STRING:
        return Scalar(Tag.STRING, text)
    if tag and tag not in (Tag.BOOLEAN, Tag.INTEGER, Tag.FLOAT, Tag.NULL, Tag.TIMESTAMP):
        return Scalar(tag, text)
    found = _resolved(text)
    if tag == Tag.FLOAT and found.tag == Tag.INTEGER and isinstance(found.value, int) and found.value in _INT64:
        return Scalar(tag, float(found.value))
    if tag and found.tag != tag:
        raise ScalarError(f"yaml: cannot decode {_short(found.tag)} `{text}` as a {_short(tag)}")
    return found


def key_text(key: Scalar) -> str:
    """Return a key of a mapping as a string.

    Raises:
        ScalarError: The key is null or does not fit 64 bits with a sign.
    """
    value = key.value
    if value is None or (isinstance(value, int) and value not in _INT64):
        raise ScalarError(f"unsupported map key of type: {'uint64' if value else '%!s(<nil>)'}")
    if isinstance(value, float):
        return _float_key(value)
    return str(value).lower() if isinstance(value, bool) else str(value)


def _resolved(text: str) -> Scalar:
    if text in _WORDS:
        return _WORDS[text]
    if text.startswith("."):
        return Scalar(Tag.FLOAT, float(text)) if _FRACTION.fullmatch(text) else Scalar(Tag.STRING, text)
    if not text[0].isascii() or text[0] not in "+-0123456789":
        return Scalar(Tag.STRING, text)
    if _TIMESTAMP.fullmatch(text):
        return Scalar(Tag.TIMESTAMP, text)
    return _number(text.replace("_", "")) or Scalar(Tag.STRING, text)


def _number(digits: str) -> Scalar | None:
    if len(digits) <= _LONGEST_INTEGER and (found := _INTEGER.fullmatch(digits)):
        base = found.lastgroup or "d"
        value = int(found["sign"] + found[base], _BASES[base])
        if value in _INT64 or (value in _UINT64 and not found["sign"]):
            return Scalar(Tag.INTEGER, value)
    if _FLOAT.fullmatch(digits) and math.isfinite(float(digits)):
        return Scalar(Tag.FLOAT, float(digits))
    return None


def _float_key(value: float) -> str:
    """Return the shortest text of a number with 32 bits, as Go's `FormatFloat(value, 'g', -1, 32)`."""
    exact = ctypes.c_float(value).value
    if not math.isfinite(exact):
        return {"inf": ".inf", "-inf": "-.inf", "nan": ".nan"}[str(exact)]
    digits = next(n for n in range(_DIGITS_OF_FLOAT32) if ctypes.c_float(float(f"{value:.{n}e}")).value == exact)
    scientific = f"{value:.{digits}e}"
    exponent = int(scientific.partition("e")[2])
    return scientific if not -4 <= exponent < 6 else f"{value:.{max(digits - exponent, 0)}f}"


def _decoded(text: str) -> str:
    try:
        return base64.b64decode(re.sub(r"[\r\n]", "", text), validate=True).decode("utf-8", "replace")
    except (binascii.Error, ValueError) as error:
        raise ScalarError("yaml: !!binary value contains invalid base64 data") from error


def _short(tag: str) -> str:
    return tag.replace("tag:yaml.org,2002:", "!!")
