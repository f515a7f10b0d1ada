"""The mig-parted format: parsing, and rejection of the same files that mig-parted rejects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from conformance.spec.mig_parted import ConfigurationError, Configurations, Entry, parse

RECORDED = yaml.safe_load(Path(__file__).with_name("config-files.yaml").read_text(encoding="utf-8"))
ENTRY = "version: v1\nmig-configs:\n  x:\n  - {%s}\n"
GOOD = "devices: all, mig-enabled: true, mig-devices: {1g.10gb: 7}"


def parsed(fields: str) -> Entry:
    (entry,) = parse(ENTRY % fields).select("x")
    return entry


@pytest.mark.parametrize("case", RECORDED, ids=lambda case: case["name"])
def test_agrees_with_mig_parted(case: dict[str, Any]) -> None:
    if case["says"] is None:
        assert parse(case["file"]).select("x")
        return
    with pytest.raises(ConfigurationError) as refused:
        parse(case["file"]).select("x")
    assert case["says"] in str(refused.value)


def test_all_fields_of_an_entry() -> None:
    entry = parsed("devices: [1, 0], device-filter: '0x233010DE', mig-enabled: true, mig-devices: {1g.10gb+me: 1}")

    assert entry == Entry((1, 0), enabled=True, mig_devices={"1g.10gb+me": 1}, device_filter=("0x233010DE",))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ("devices: all, mig-enabled: false", Entry(None, enabled=False, mig_devices={})),
        ("devices: all, mig-enabled: false, mig-devices: {}", Entry(None, enabled=False, mig_devices={})),
        ("devices: all, mig-enabled: true, mig-devices: {}", Entry(None, enabled=True, mig_devices={})),
        ("devices: [], mig-enabled: false", Entry((), enabled=False, mig_devices={})),
        ("devices: all, mig-enabled: false, device-filter: []", Entry(None, enabled=False, mig_devices={})),
        ("devices: all, mig-enabled: false, device-filter: ''", Entry(None, enabled=False, mig_devices={})),
        (
            "devices: all, mig-enabled: false, device-filter: [H100, x]",
            Entry(None, enabled=False, mig_devices={}, device_filter=("H100", "x")),
        ),
        (
            "devices: all, mig-enabled: true, mig-devices: {0g.0gb: 100, 1g.5gb+what: 1}",
            Entry(None, enabled=True, mig_devices={"0g.0gb": 100, "1g.5gb+what": 1}),
        ),
    ],
)
def test_unusual_but_valid(fields: str, expected: Entry) -> None:
    assert parsed(fields) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{}", "unknown version: "),
        ("[]", "cannot unmarshal array"),
        ("version: 1", "cannot unmarshal number into Go value of type string"),
        ("version: v1\nmig-configs:", "at least one entry in 'mig-configs' is required"),
        ("version: v1\nmig-configs: {x: null}", "at least one entry in 'x' is required"),
        ("version: v1\nmig-configs: {x: {}}", "cannot unmarshal object"),
        ("version: v1\nmig-configs: {x: ''}", "cannot unmarshal string"),
        (ENTRY % "", "missing required field: devices"),
        (ENTRY % "devices: 3, mig-enabled: false", "cannot unmarshal number into Go value of type []int"),
        (ENTRY % "devices: [x], mig-enabled: false", "cannot unmarshal string into Go value of type int"),
        (ENTRY % "devices: [true], mig-enabled: false", "cannot unmarshal bool into Go value of type int"),
        (ENTRY % "devices: null, mig-enabled: false", "invalid string input for 'devices': "),
        (ENTRY % "devices: all, mig-enabled: 'true'", "cannot unmarshal string into Go value of type bool"),
        (ENTRY % "devices: all, mig-enabled: true, mig-devices: null", "missing required field 'mig-devices'"),
        (ENTRY % "devices: all, mig-enabled: true, mig-devices: {1g.10gb: -1}", "invalid count for '-1': <nil>"),
        (ENTRY % "devices: all, mig-enabled: true, mig-devices: {1g.10gb: x}", "into Go value of type int"),
        (ENTRY % "devices: all, mig-enabled: true, mig-devices: {1g.10gb: 0}", "all counts for all MigProfiles are 0"),
        (ENTRY % "devices: all, mig-enabled: true, mig-devices: {1g.10gb: 1, big: 0}", "invalid format for 'big'"),
        (ENTRY % "devices: all, mig-enabled: true, mig-devices: [1g.10gb]", "cannot unmarshal array"),
        (ENTRY % "devices: all, mig-enabled: false, device-filter: [1]", "cannot unmarshal number into Go value"),
        ("a: b: c", "yaml: mapping values are not allowed in this context"),
    ],
)
def test_rejected(text: str, says: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        parse(text)
    assert says in str(refused.value)


def test_one_invalid_entry_makes_the_whole_file_invalid() -> None:
    with pytest.raises(ConfigurationError, match="unexpected field: colour"):
        parse(f"version: v1\nmig-configs:\n  good: [{{{GOOD}}}]\n  bad: [{{{GOOD}, colour: red}}]\n")


def test_the_last_of_two_equal_keys_wins() -> None:
    first, last = "[{devices: all, mig-enabled: false}]", "[{devices: [3], mig-enabled: false}]"

    assert parse(f"version: v1\nmig-configs:\n  x: {first}\n  x: {last}\n").select("x")[0].devices == (3,)


class TestSelect:
    one = parse(ENTRY % GOOD)
    two = parse(f"version: v1\nmig-configs: {{x: [{{{GOOD}}}], y: [{{{GOOD}}}]}}")

    @pytest.mark.parametrize("name", [None, ""])
    def test_no_name_means_the_only_configuration(self, name: str | None) -> None:
        assert self.one.select(name) == self.one.entries["x"]

    @pytest.mark.parametrize(
        ("configurations", "says"),
        [
            (two, "missing required flag 'selected-config'"),
            (parse("version: v1"), "selected mig-config not present: "),
            (parse(""), "selected mig-config not present: "),
        ],
    )
    def test_no_name_needs_exactly_one(self, configurations: Configurations, says: str) -> None:
        with pytest.raises(ConfigurationError, match=says):
            configurations.select(None)

    def test_unknown_name(self) -> None:
        with pytest.raises(ConfigurationError, match=r"selected mig-config not present: 1g\.10gb"):
            self.two.select("1g.10gb")
