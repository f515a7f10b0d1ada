"""The parser takes and refuses the same spellings of a mig-parted file as mig-parted's own reader."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from conformance.spec.mig_parted import ConfigurationError, Entry, parse

RECORDED = json.loads((Path(__file__).parent / "data" / "spellings.json").read_text(encoding="utf-8"))
ACCEPTED = [
    pytest.param(place, spelling, value, id=f"{place['place']}-{spelling!r}")
    for place in RECORDED["places"]
    for spelling, value in place["accepted"].items()
]
REFUSED = [
    pytest.param(place, spelling, id=f"{place['place']}-{spelling!r}")
    for place in RECORDED["places"]
    for spelling in place["refused"]
]
COUNT = "version: v1\nmig-configs:\n  x:\n  - devices: all\n    mig-enabled: true\n    mig-devices: {{1g.10gb: {}}}\n"

SPELLINGS = ("{}", "+{}", "{}.0", "{}e0", "{:#x}", "{:#o}", "{:#b}", "{:_}", "0{:o}")


def read(place: str, entry: Entry) -> object:
    """Return what the spelling in a place stands for, as the recording has it."""
    values: dict[str, object] = {
        "count": entry.mig_devices.get("1g.10gb"),
        "enabled": entry.enabled,
        "devices": "all" if entry.devices is None else list(entry.devices),
        "filter": list(entry.device_filter),
        "version": True,
        "profile": next(iter(entry.mig_devices), None),
    }
    return values[place]


@pytest.mark.parametrize(("place", "spelling", "value"), ACCEPTED)
def test_accepted_with_the_value_that_mig_parted_reads(place: dict[str, Any], spelling: str, value: object) -> None:
    ((name, (entry,)),) = parse(place["file"] % spelling).entries.items()

    found = name if place["place"] == "name" else read(place["place"], entry)

    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(("place", "spelling"), REFUSED)
def test_refused(place: dict[str, Any], spelling: str) -> None:
    with pytest.raises(ConfigurationError):
        parse(place["file"] % spelling)


@pytest.mark.parametrize("case", RECORDED["files"], ids=lambda case: case["name"])
def test_whole_files(case: dict[str, Any]) -> None:
    if case["says"] is not None:
        with pytest.raises(ConfigurationError) as refused:
            parse(case["file"])
        assert str(refused.value) == case["says"]
        return
    found = {name: list(map(_as_recorded, entries)) for name, entries in parse(case["file"]).entries.items()}
    assert found == case["is"]


def _as_recorded(entry: Entry) -> dict[str, object]:
    devices = read("devices", entry)
    return {
        "devices": devices,
        "enabled": entry.enabled,
        "filter": list(entry.device_filter),
        "mig": dict(entry.mig_devices),
    }


@given(
    st.integers(1, 10**15), st.sampled_from(["{}", "+{}", "{}.0", "{}e0", "{:#x}", "{:#o}", "{:#b}", "{:_}", "0{:o}"])
)
def test_a_whole_number_may_be_spelled_in_many_ways(count: int, spelling: str) -> None:
    assert parse(COUNT.format(spelling.format(count))).entries["x"][0].mig_devices == {"1g.10gb": count}


@given(st.text())
def test_quoted_text_is_never_a_number(text: str) -> None:
    with pytest.raises(ConfigurationError):
        parse(COUNT.format(json.dumps(text, ensure_ascii=True)))


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    name = f"version: v1\nmig-configs:\n  {text}: [{{devices: all, mig-enabled: n}}]\n"

    for file in (text, COUNT.format(text), name):
        with contextlib.suppress(ConfigurationError):
            parse(file)


NAMES = st.from_regex(r"[a-z][a-z0-9.-]{0,20}[a-z0-9]", fullmatch=True)
ENTRIES = st.fixed_dictionaries(
    {
        "devices": st.just("all") | st.lists(st.integers(0, 15), max_size=4),
        "mig-enabled": st.just(True),
        "mig-devices": st.dictionaries(st.sampled_from(["1g.10gb", "1g.10gb+me", "3g.40gb"]), st.integers(1, 7)),
    }
)


@given(st.dictionaries(NAMES, st.lists(ENTRIES, min_size=1, max_size=3), min_size=1, max_size=5), st.booleans())
def test_what_a_program_writes_is_read_back(configurations: dict[str, list[dict[str, Any]]], flow: bool) -> None:
    file = yaml.safe_dump({"version": "v1", "mig-configs": configurations}, default_flow_style=flow)

    found = {
        name: [
            {
                "devices": read("devices", entry),
                "mig-enabled": entry.enabled,
                "mig-devices": dict(entry.mig_devices),
            }
            for entry in entries
        ]
        for name, entries in parse(file).entries.items()
    }

    assert found == configurations
