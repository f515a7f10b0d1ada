"""Comparison of mappings and sequences; the result separates missing items from unexpected ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from conformance.expect.finding import Finding


def compare_mappings(
    expected: Mapping[str, object], found: Mapping[str, object], *, only_differences: bool = False
) -> Finding | None:
    """Compare keys and values; return None if both mappings are equal.

    Args:
        expected: What must be there.
        found: What is there.
        only_differences: Leave keys that do not differ out of the finding; for mappings too long to read.
    """
    differing = {key for key in expected.keys() | found.keys() if expected.get(key) != found.get(key)}
    differing |= expected.keys() ^ found.keys()
    if not differing:
        return None
    shown = differing if only_differences else expected.keys() | found.keys()
    return Finding(
        expected=_items({key: value for key, value in expected.items() if key in shown}),
        found=_items({key: value for key, value in found.items() if key in shown}),
        missing=tuple(sorted(expected.keys() - found.keys())),
        unexpected=tuple(sorted(found.keys() - expected.keys())),
    )


def compare_sequences(expected: Sequence[str], found: Sequence[str]) -> Finding | None:
    """Compare items and their order; return None if both sequences are equal."""
    if list(expected) == list(found):
        return None
    missing, unexpected = Counter(expected) - Counter(found), Counter(found) - Counter(expected)
    return Finding(tuple(expected), tuple(found), _amounts(missing), _amounts(unexpected))


def _items(mapping: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(f"{key}: {_text(value)}" for key, value in sorted(mapping.items()))


def _text(value: object) -> str:
    return "''" if value == "" else str(value)


def _amounts(counts: Mapping[str, int]) -> tuple[str, ...]:
    return tuple(key if count == 1 else f"{key} ({count} times)" for key, count in sorted(counts.items()))
