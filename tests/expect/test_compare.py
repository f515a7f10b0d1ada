"""Comparison of mappings and sequences: what is missing, unexpected or different."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from conformance.expect.compare import compare_mappings, compare_sequences

WORDS = st.lists(st.sampled_from("abc"), max_size=5)
MAPPINGS = st.dictionaries(st.sampled_from("abc"), st.sampled_from([None, 0, 1, ""]))


@given(WORDS, WORDS)
def test_sequences_differ_unless_they_are_equal(expected: list[str], found: list[str]) -> None:
    """Order and repetition count, and what is missing is not what is unexpected."""
    finding = compare_sequences(expected, found)

    assert (finding is None) == (expected == found)
    if finding is not None:
        missing, unexpected = Counter(expected) - Counter(found), Counter(found) - Counter(expected)
        assert [text.partition(" (")[0] for text in finding.missing] == sorted(missing)
        assert [text.partition(" (")[0] for text in finding.unexpected] == sorted(unexpected)
        assert (finding.expected, finding.found) == (tuple(expected), tuple(found))


@given(MAPPINGS, MAPPINGS)
def test_mappings_differ_unless_they_are_equal(expected: dict[str, object], found: dict[str, object]) -> None:
    """A key whose value is None is not the same as no key."""
    finding = compare_mappings(expected, found, only_differences=True)

    assert (finding is None) == (expected == found)
    if finding is not None:
        assert finding.missing == tuple(sorted(expected.keys() - found.keys()))
        assert finding.unexpected == tuple(sorted(found.keys() - expected.keys()))
        differing = {
            key for key in expected.keys() | found.keys() if (key, expected.get(key, "-")) != (key, found.get(key, "-"))
        }
        assert {line[0] for line in (*finding.expected, *finding.found)} == differing
