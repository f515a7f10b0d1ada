"""A configuration that names some of the GPUs never counts as applied: mig-parted and what is expected agree."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.expect.applied import counts_as_applied
from conformance.expect.geometry import observed_geometry, wanted_geometry
from conformance.expect.observed import ObservedGpu
from conformance.expect.readings import read_probe
from conformance.sim import mig_parted, nvidia_smi
from conformance.sim.hardware import NodeHardware
from conformance.sim.nvml import Nvml
from conformance.spec.mig_parted import parse
from tests.probe.running import run_probe

FILE = (Path(__file__).parent / "data" / "per-index-typo.yaml").read_text(encoding="utf-8")
SEVEN = {"1g.10gb": 7}
CUT = {"1g.10gb": 1, "2g.20gb": 1, "4g.40gb": 1}
H100, A100 = "h100-80gb-hbm3", "a100-sxm4-80gb"


class Node:
    """A simulated node, mig-parted on it, and its GPUs as the probe reads them."""

    def __init__(self, *boards: str) -> None:
        self.hardware = NodeHardware(boards)

    def run(self, command: str, text: str, name: str) -> int:
        def smi(arguments: Any) -> tuple[int, str]:
            return nvidia_smi.run(arguments, self.hardware)

        return mig_parted.run([command, "-f", "f", "-c", name], Nvml(self.hardware), smi, {"f": text}.get).rc

    @property
    def gpus(self) -> tuple[ObservedGpu, ...]:
        return read_probe(run_probe(self.hardware))


@pytest.mark.parametrize("name", ["one-cut", "one-cut-short"])
def test_both_spellings_lead_to_the_same_geometry(name: str) -> None:
    node = Node(*[H100] * 5)
    wanted = wanted_geometry(node.gpus, parse(FILE).select(name))

    assert node.run("apply", FILE, name) == 0

    assert [{str(profile): n for profile, n in gpu.instances.items()} for gpu in wanted] == [{}] * 4 + [CUT]
    assert observed_geometry(node.gpus) == wanted


@pytest.mark.parametrize(("name", "applied"), [("one-cut", True), ("one-cut-short", False), ("old-card", False)])
def test_only_a_configuration_of_every_gpu_is_found_applied(name: str, applied: bool) -> None:
    node = Node(*[H100] * 5)
    node.run("apply", FILE, name)

    assert (node.run("assert", FILE, name) == 0) is applied
    assert counts_as_applied(node.gpus, parse(FILE).select(name)) is applied


def test_entries_that_want_different_modes_of_a_gpu_are_never_found_applied() -> None:
    """mig-parted asserts the mode of every entry, and the geometry of the last one."""
    node = Node(H100)
    off, seven = {"devices": "all", "mig-enabled": False}, {"devices": "all", "mig-enabled": True, "mig-devices": SEVEN}
    text = json.dumps({"version": "v1", "mig-configs": {"seven": [seven], "both": [off, seven]}})

    assert node.run("apply", text, "seven") == 0
    assert (node.run("assert", text, "seven"), node.run("assert", text, "both")) == (0, 1)
    assert counts_as_applied(node.gpus, parse(text).select("seven"))
    assert not counts_as_applied(node.gpus, parse(text).select("both"))


PROFILES = ["1g.10gb", "1g.10gb+me", "2g.20gb", "3g.40gb", "7g.80gb", "7c.7g.80gb", "1c.3g.40gb", "1g.5gb"]
MIG_DEVICES = st.dictionaries(st.sampled_from(PROFILES), st.integers(0, 3), max_size=2).filter(
    lambda counts: not counts or any(counts.values())
)
DEVICES = st.just("all") | st.lists(st.integers(0, 3), max_size=3)
FILTERS = st.sampled_from([[], ["0x233010DE"], ["0x20B210DE"], ["0x2330"], ["0x20B210DE", "0x233010DE"]])


@st.composite
def configurations(draw: st.DrawFn) -> str:
    entries = []
    for _ in range(draw(st.integers(1, 3))):
        enabled = draw(st.booleans())
        entry = {"devices": draw(DEVICES), "device-filter": draw(FILTERS), "mig-enabled": enabled}
        entries.append(entry | ({"mig-devices": draw(MIG_DEVICES)} if enabled else {}))
    return json.dumps({"version": "v1", "mig-configs": {"x": entries}})


BOARDS = st.lists(st.sampled_from([H100, A100]), min_size=1, max_size=3)


@settings(max_examples=40)
@given(BOARDS, st.lists(configurations(), min_size=1, max_size=4))
def test_what_is_expected_is_what_mig_parted_does(boards: list[str], asked: list[str]) -> None:
    """In any history of configurations: what counts as applied, and the geometry after a run that succeeds."""
    node = Node(*boards)
    for text in (*asked, asked[-1]):
        entries, before = parse(text).select("x"), node.gpus

        assert counts_as_applied(before, entries) is (node.run("assert", text, "x") == 0)
        if node.run("apply", text, "x") == 0:
            assert observed_geometry(node.gpus) == wanted_geometry(before, entries)
