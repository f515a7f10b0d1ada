"""Quantities such as `500m`, `16Gi` or `8`: their value and the one form that the server stores.

Source: k8s.io/apimachinery pkg/api/resource/quantity.go v0.36.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Context, Decimal
from functools import lru_cache

_FORM = re.compile(r"^([+-]?(?:\d+\.?\d*|\.\d+))(?:([KMGTPE]i|[numkMGTPE])|[eE]([+-]?\d+))?$")
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_NANO = Decimal("1e-9")
_EXACT = Context(prec=100)
_LARGEST_EXPONENT = 30


@lru_cache(maxsize=4096)
def value_of(text: str) -> Decimal:
    """Return the value of a quantity in its base unit; raises ValueError where `text` is none."""
    match = _FORM.match(text)
    if not match:
        raise ValueError("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")
    number, suffix, exponent = match.groups()
    if abs(int(exponent or 0)) > _LARGEST_EXPONENT:
        raise ValueError(f"quantities must match a number that can be held, not one with the exponent {exponent}")
    if suffix in _BINARY:
        return _EXACT.multiply(Decimal(number), Decimal(1 << _BINARY[suffix]))
    return Decimal(number).scaleb(int(exponent) if exponent else _DECIMAL[suffix or ""])


@lru_cache(maxsize=4096)
def canonical(text: str) -> str:
    """Return the stored form: an integer with the largest suffix of its family that needs no fraction.

    A quantity keeps its family (binary, decimal or exponent); a binary one below 1024 becomes plain decimal. Raises
    ValueError where `text` is no quantity.
    """
    value = value_of(text).quantize(_NANO, ROUND_CEILING, _EXACT)
    suffix = _FORM.match(text)
    if suffix and (suffix[2] or "") in _BINARY and value == value.to_integral_value():
        return _binary(int(value))
    return _decimal(value, exponent_form=bool(suffix and suffix[3]))


def _binary(value: int) -> str:
    for name, bits in reversed(_BINARY.items()):
        if value and value % (1 << bits) == 0:
            return f"{value >> bits}{name}"
    return str(value)


def _decimal(value: Decimal, *, exponent_form: bool) -> str:
    for name, power in reversed(_DECIMAL.items()):
        scaled = _EXACT.scaleb(value, Decimal(-power))
        if value and scaled == scaled.to_integral_value():
            return f"{int(scaled)}" + (f"e{power}" if exponent_form and power else name)
    return "0"
