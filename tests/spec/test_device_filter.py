"""The ids in device filters, as Go reads numbers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.spec.device_filter import DeviceFilter, parse_filter

IDS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0x233010DE", DeviceFilter(0x233010DE)),
        ("0X233010de", DeviceFilter(0x233010DE)),
        ("0x233010DE:0x16C110DE", DeviceFilter(0x233010DE, 0x16C110DE)),
        ("0x233010DE:0", DeviceFilter(0x233010DE, 0)),
        ("10", DeviceFilter(10)),
        ("010", DeviceFilter(8)),
        ("0o10", DeviceFilter(8)),
        ("0b10", DeviceFilter(2)),
        ("0", DeviceFilter(0)),
        ("1_0", DeviceFilter(10)),
    ],
)
def test_ids(text: str, expected: DeviceFilter) -> None:
    assert parse_filter(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "H100", "0x", "0x2330g", "08", "+1", "-1", " 1", "1 ", "1__0", "_1", "1_", "0x1FFFFFFFF", "1:", ":1", "1:2:3"],
)
def test_text_without_ids(text: str) -> None:
    assert parse_filter(text) is None


@given(IDS, st.none() | IDS, st.sampled_from(["{:#x}", "{}", "{:#o}", "{:#b}", "0x{:_X}"]))
def test_every_id_in_every_base(device: int, subsystem: int | None, form: str) -> None:
    text = ":".join(form.format(number) for number in (device, subsystem) if number is not None)

    assert parse_filter(text) == DeviceFilter(device, subsystem)
