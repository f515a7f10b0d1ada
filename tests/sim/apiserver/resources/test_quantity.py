"""Quantities: one stored form for each value."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.sim.apiserver.resources.decode import canonical, value_of

SUFFIXES = ["", "m", "k", "M", "G", "T", "Ki", "Mi", "Gi", "Ti"]


@pytest.mark.parametrize(
    ("given_text", "stored"),
    [
        ("8", "8"),
        ("1000m", "1"),
        ("0.5", "500m"),
        ("1.5Gi", "1536Mi"),
        ("2048Mi", "2Gi"),
        ("1000", "1k"),
        ("1024", "1024"),
        ("1e3", "1e3"),
        ("1500", "1500"),
        ("0", "0"),
        ("-2", "-2"),
        ("0.1Gi", "107374182400m"),
        (".5", "500m"),
        ("1Ki", "1Ki"),
        ("100n", "100n"),
    ],
)
def test_stored_form_is_that_of_the_real_server(given_text: str, stored: str) -> None:
    assert canonical(given_text) == stored


@pytest.mark.parametrize("text", ["", "x", "1x", "1 Gi", "--1", "1e", "Gi", "1e99"])
def test_text_that_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="quantities must match"):
        value_of(text)


@given(st.decimals(min_value=0, max_value=10**12, places=3), st.sampled_from(SUFFIXES))
def test_storing_keeps_the_value_and_is_done_once(number: Decimal, suffix: str) -> None:
    text = f"{number:f}{suffix}"
    stored = canonical(text)
    assert value_of(stored) == value_of(text)
    assert canonical(stored) == stored
