"""What mig-parted does beyond the recordings: docs/reference/mig-manager.md#what-mig-parted-checks-and-does."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from math import factorial, prod
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from conformance.sim import mig_parted, nvidia_smi
from conformance.sim.hardware import NodeHardware
from conformance.sim.mig_parted.geometry import try_orderings
from conformance.sim.mig_parted.output import MigPartedError, Output
from conformance.sim.nvml import Nvml
from conformance.spec.models import load_models
from conformance.spec.profile import Profile

H100 = "h100-80gb-hbm3"
A100 = "a100-sxm4-40gb"
CLIENT = 4242
GRID = {
    "1g.10gb": ((0, 1, 2, 3, 4, 5, 6), 1),
    "1g.20gb": ((0, 2, 4, 6), 2),
    "2g.20gb": ((0, 2, 4), 2),
    "3g.40gb": ((0, 4), 4),
    "4g.40gb": ((0,), 4),
    "7g.80gb": ((0,), 8),
}
"""Starts and size of some profiles of an H100 80GB."""


class Node:
    """GPUs, and mig-parted run on them with one configuration `x`."""

    def __init__(self, *boards: str) -> None:
        self.hardware = NodeHardware(boards)

    def run(
        self, *arguments: str, entries: Sequence[Mapping[str, Any]] = (), subsystem_filters: bool = True
    ) -> mig_parted.Result:
        text = json.dumps({"version": "v1", "mig-configs": {"x": list(entries)}})
        return mig_parted.run(
            arguments,
            Nvml(self.hardware),
            lambda args: nvidia_smi.run(args, self.hardware),
            {"f": text}.get,
            subsystem_filters=subsystem_filters,
        )

    def apply(self, *entries: Mapping[str, Any]) -> mig_parted.Result:
        return self.run("apply", "-f", "f", "-c", "x", entries=entries)

    def is_applied(self, *entries: Mapping[str, Any]) -> bool:
        return self.run("assert", "-f", "f", "-c", "x", entries=entries).rc == 0

    @property
    def geometries(self) -> list[dict[str, int] | None]:
        """Profiles and counts per GPU; None where MIG is off."""
        return [
            dict(Counter(instance.row.name for instance in gpu.instances)) if gpu.mode_current else None
            for gpu in self.hardware.gpus
        ]


def on(counts: Mapping[str, int], devices: object = "all", **more: object) -> dict[str, Any]:
    return {"devices": devices, "mig-enabled": True, "mig-devices": dict(counts), **more}


def off(devices: object = "all") -> dict[str, Any]:
    return {"devices": devices, "mig-enabled": False}


def fits(counts: Mapping[str, int]) -> bool:
    """Whether some placement of all instances overlaps nowhere: tried out, without the code under test."""
    wanted = [GRID[name] for name, count in counts.items() for _ in range(count)]

    def place(position: int, used: frozenset[int]) -> bool:
        if position == len(wanted):
            return True
        starts, size = wanted[position]
        options = (frozenset(range(start, start + size)) for start in starts)
        return any(place(position + 1, used | units) for units in options if not units & used)

    return sum(int(name[0]) * count for name, count in counts.items()) <= 7 and place(0, frozenset())


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(sorted(GRID)), min_size=1, max_size=6))
def test_a_geometry_is_realised_exactly_when_it_fits(names: list[str]) -> None:
    node, counts = Node(H100), dict(Counter(names))

    result = node.apply(on(counts))

    assert (result.rc == 0) == fits(counts)
    assert node.geometries == [counts if fits(counts) else {}]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from(["1g.10gb", "2g.20gb", "3g.40gb"]), max_size=6))
def test_every_distinct_ordering_is_tried_once(names: list[str]) -> None:
    tried = []

    def refuse(devices: Sequence[Profile]) -> None:
        tried.append(tuple(devices))
        raise MigPartedError("no")

    with pytest.raises(MigPartedError, match="all orderings failed"):
        try_orderings(sorted(map(Profile.parse, names), reverse=True), refuse, Output())

    assert len(tried) == factorial(len(names)) // prod(map(factorial, Counter(names).values()))
    assert len(set(tried)) == len(tried)


@pytest.mark.parametrize("model", sorted(load_models()))
def test_every_generated_configuration_can_be_applied_to_its_gpu(model: str) -> None:
    node = Node(model)
    content = mig_parted.generate(Nvml(node.hardware), mig_parted.Output())

    for entries in content["mig-configs"].values():
        assert node.apply(*entries).rc == 0
        assert node.is_applied(*entries)
        assert node.geometries == [entries[0]["mig-devices"] if entries[0]["mig-enabled"] else None]


@pytest.mark.parametrize("model", sorted(load_models()))
def test_generated_balanced_configuration_is_that_of_the_model(model: str) -> None:
    content = mig_parted.generate(Nvml(NodeHardware([model])), mig_parted.Output())

    balanced = content["mig-configs"].get("all-balanced", [{"mig-devices": {}}])

    assert balanced[0]["mig-devices"] == load_models()[model].all_balanced


def test_profile_that_no_gpu_offers_empties_the_gpu_and_is_a_success() -> None:
    node = Node(H100)
    node.apply(on({"1g.10gb": 7}))

    assert node.apply(on({"1g.5gb": 7, "3g.40gb": 1})).rc == 0
    assert node.geometries == [{}]


def test_two_spellings_of_a_profile_add_up() -> None:
    node = Node(H100)

    node.apply(on({"3g.40gb": 1, "3c.3g.40gb": 1}))

    assert node.geometries == [{"3g.40gb": 2}]


def test_profile_of_another_gpu_of_the_node_is_an_error_and_gpus_before_keep_the_new_geometry() -> None:
    node = Node(A100, H100, H100)

    result = node.apply(on({"1g.5gb": 7}))

    assert result.rc == 1
    assert "'1g.5gb': ERROR_NOT_SUPPORTED" in result.stderr[0]
    assert node.geometries == [{"1g.5gb": 7}, {}, {}]


def test_of_several_entries_for_a_gpu_the_last_one_wins() -> None:
    node = Node(H100, H100)
    entries = on({"1g.10gb": 7}), on({"3g.40gb": 2}, [0])

    assert node.apply(*entries).rc == 0
    assert node.geometries == [{"3g.40gb": 2}, {"1g.10gb": 7}]
    assert node.is_applied(*entries)


def test_contradicting_modes_never_count_as_applied() -> None:
    node = Node(H100)
    entries = on({"1g.10gb": 7}), off([0])

    assert node.apply(*entries).rc == 1
    assert not node.is_applied(*entries)


@pytest.mark.parametrize(
    "device_filter", ["H100", "0x2330", "0x233010DE:", "0x233010DE:0x16C110DE:1", "0x233010DE:0x0"]
)
def test_filter_that_makes_no_sense_matches_nothing_and_that_is_a_success(device_filter: str) -> None:
    node = Node(H100)
    entry = on({"1g.10gb": 7}, **{"device-filter": device_filter})

    assert node.apply(entry).rc == 0
    assert node.geometries == [None]
    assert not node.is_applied(entry)


@pytest.mark.parametrize(("subsystem_filters", "geometry"), [(True, {"7g.80gb": 1}), (False, None)])
def test_filter_with_a_subsystem_matches_nothing_before_v0_15(
    subsystem_filters: bool, geometry: dict[str, int] | None
) -> None:
    node = Node(H100)
    entry = on({"7g.80gb": 1}, **{"device-filter": "0x233010DE:0x16C110DE"})

    node.run("apply", "-f", "f", "-c", "x", entries=[entry], subsystem_filters=subsystem_filters)

    assert node.geometries == [geometry]


@pytest.mark.parametrize("device_filter", ["0x233010de", ["0x20B010DE", "0X233010DE"], ""])
def test_filter_is_hexadecimal_in_either_case_and_any_of_a_list(device_filter: object) -> None:
    node = Node(H100)

    node.apply(on({"7g.80gb": 1}, **{"device-filter": device_filter}))

    assert node.geometries == [{"7g.80gb": 1}]


def test_busy_instance_keeps_its_place_and_those_after_it_but_not_those_before() -> None:
    """Instances go by profile: 1g, 2g, 3g."""
    node = Node(H100)
    node.apply(on({"1g.10gb": 2, "2g.20gb": 1, "3g.40gb": 1}))
    busy = next(instance for instance in node.hardware.gpus[0].instances if instance.row.name == "2g.20gb")
    node.hardware.hold(0, CLIENT, busy.id)

    result = node.apply(on({"1g.10gb": 7}))

    assert result.rc == 1
    assert "ERROR_IN_USE" in result.stderr[0]
    assert node.geometries == [{"2g.20gb": 1, "3g.40gb": 1}]


def test_client_on_a_gpu_that_need_not_change_does_no_harm() -> None:
    node = Node(H100, H100)
    node.apply(on({"1g.10gb": 7}))
    node.hardware.hold(0, CLIENT, node.hardware.gpus[0].instances[0].id)

    assert node.apply(on({"1g.10gb": 7}, [0]), on({"3g.40gb": 2}, [1])).rc == 0
    assert node.geometries == [{"1g.10gb": 7}, {"3g.40gb": 2}]


def test_mode_change_of_one_gpu_rebuilds_the_instances_of_all_that_match() -> None:
    node = Node(H100, H100)
    node.apply(on({"1g.10gb": 7}, [0]))
    node.hardware.hold(0, CLIENT, node.hardware.gpus[0].instances[0].id)

    result = node.apply(on({"1g.10gb": 7}))

    assert result.rc == 1
    assert "error clearing existing MIG configurations" in result.stderr[0]


def test_reset_takes_gpus_outside_the_configuration_along() -> None:
    node = Node(A100, A100)
    node.hardware.hold(1, CLIENT)

    result = node.apply(on({"7g.40gb": 1}, [0]))

    assert result.rc == 1
    assert "could not be reset" in result.stderr[0]
    assert node.geometries == [None, None]


def test_pending_mode_counts_for_nothing_while_the_current_one_is_right() -> None:
    node = Node(A100)
    node.hardware.set_mode(node.hardware.gpus[0], wanted=True)

    assert node.is_applied(off())


def test_gpu_without_mig_is_skipped_under_all_and_an_error_by_index() -> None:
    node = Node(H100, H100)
    node.hardware.gpus[1].mig_capable = False

    assert node.apply(on({"7g.80gb": 1})).rc == 0
    assert not node.is_applied(on({"7g.80gb": 1}))
    assert node.is_applied(on({"7g.80gb": 1}, [0]), off([1]))
    assert node.apply(on({"7g.80gb": 1}, [1])).rc == 1


def test_compute_instances_share_a_gpu_instance_until_it_is_full() -> None:
    node = Node(H100)

    node.apply(on({"1c.3g.40gb": 4}))

    instances = node.hardware.gpus[0].instances
    assert [len(instance.compute_instances) for instance in instances] == [3, 1]


def test_export_names_kinds_and_indices_only_where_they_matter() -> None:
    node = Node(H100, A100, H100, H100)
    node.apply(on({"7g.80gb": 1}, [0, 2]))

    printed = yaml.safe_load("\n".join(node.run("export", "-l", "now").stdout))

    assert printed["mig-configs"]["now"] == [
        {"device-filter": "0x233010DE", "devices": [0, 2], "mig-enabled": True, "mig-devices": {"7g.80gb": 1}},
        {
            "device-filter": ["0x20B010DE", "0x233010DE"],
            "devices": [1, 3],
            "mig-enabled": False,
            "mig-devices": {},
        },
    ]


def test_generation_needs_profiles_and_says_what_it_lacks() -> None:
    node = Node(A100)
    node.hardware.profiles_need_mig = True

    result = node.run("generate-config")

    assert result.rc == 1
    assert "no MIG profiles discovered for MIG-capable GPUs" in result.stderr[-1]


@pytest.mark.parametrize("arguments", [(), ("undo",), ("assert", "-c", "x"), ("export", "-o", "xml")])
def test_unknown_command_line_is_an_error(arguments: tuple[str, ...]) -> None:
    assert Node(H100).run(*arguments).rc == 1


@pytest.mark.parametrize("profiles_need_mig", [False, True], ids=["new driver", "old driver"])
def test_the_profiles_of_an_a30_are_not_asked_for(profiles_need_mig: bool) -> None:
    """An old driver lists no profile while MIG is off; of an A30 mig-parted knows them by itself."""
    node = NodeHardware(["a30-24gb", "h100-80gb-hbm3", "a30-24gb"])
    node.gpus[1].mig_capable = False
    node.profiles_need_mig = profiles_need_mig
    output = mig_parted.Output()

    content = mig_parted.generate(Nvml(node), output)

    assert output.stderr[:2] == [
        'level=info msg="Device 0 is A30 (DeviceID: 0x20B710DE), using hardcoded profiles due to NVML bug"',
        'level=info msg="Device 2 is A30 (DeviceID: 0x20B710DE), using hardcoded profiles due to NVML bug"',
    ]
    assert {name: entry["mig-devices"] for name, (entry,) in content["mig-configs"].items()} == {
        "all-1g.6gb": {"1g.6gb": 4},
        "all-1g.6gb.me": {"1g.6gb+me": 1},
        "all-2g.12gb": {"2g.12gb": 2},
        "all-2g.12gb.me": {"2g.12gb+me": 1},
        "all-4g.24gb": {"4g.24gb": 1},
        "all-balanced": {"1g.6gb": 2, "2g.12gb": 1},
        "all-disabled": {},
        "all-enabled": {},
    }
