"""Which resources a geometry gives under each strategy (docs/reference/device-plugin.md#resources)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conformance.sim.device_plugin.device_map import DeviceMap, DeviceMapError, build_device_map
from conformance.sim.device_plugin.inventory import read_gpus
from conformance.sim.device_plugin.klog import Klog
from conformance.sim.device_plugin.profile_names import ProfileNameError, full_profile, profile
from conformance.sim.device_plugin.sharing import Shared, Sharing
from conformance.sim.faults import Faults
from conformance.sim.hardware import NodeHardware
from conformance.sim.nvml import Nvml
from conformance.spec.models import GpuModel, load_models
from conformance.spec.names import Strategy
from conformance.spec.profile import Profile
from tests.sim.partitioned import MIG_OFF, partition, partitioned

NONE, SINGLE, MIXED = Strategy.NONE, Strategy.SINGLE, Strategy.MIXED
SEVEN = ["1g.10gb"] * 7
BALANCED = ["3g.40gb", "2g.20gb", "1g.10gb", "1g.10gb"]


def device_map(
    hardware: NodeHardware,
    strategy: Strategy,
    sharing: Sharing | None = None,
    *,
    whole_names: bool = True,
    faults: Sequence[str] = (),
    log: list[str] | None = None,
) -> DeviceMap:
    nvml = Nvml(hardware)
    nvml.nvmlInit()
    klog = Klog((log if log is not None else []).append, lambda: datetime.now(UTC))
    return build_device_map(
        read_gpus(nvml), strategy, sharing or Sharing(), whole_names=whole_names, faults=Faults(faults), log=klog
    )


def counts(found: DeviceMap) -> Mapping[str, int]:
    return {name.removeprefix("nvidia.com/"): len(devices) for name, devices in found.items()}


@pytest.mark.parametrize(
    ("gpus", "single", "mixed"),
    [
        pytest.param([MIG_OFF, MIG_OFF], {"gpu": 2}, {"gpu": 2}, id="off-everywhere"),
        pytest.param([SEVEN, SEVEN], {"gpu": 14}, {"mig-1g.10gb": 14}, id="one-profile"),
        pytest.param(
            [BALANCED, SEVEN],
            "more than one MIG device type",
            {"mig-3g.40gb": 1, "mig-2g.20gb": 1, "mig-1g.10gb": 9},
            id="several-profiles",
        ),
        pytest.param([SEVEN, []], "device 1 has no MIG devices configured", {"mig-1g.10gb": 7}, id="one-empty"),
        pytest.param([[], []], "device 0 has no MIG devices configured", {}, id="all-empty"),
        pytest.param([SEVEN, MIG_OFF], "same migEnabled value", {"gpu": 1, "mig-1g.10gb": 7}, id="some-off"),
        pytest.param([BALANCED, []], "device 1 has no MIG devices", None, id="empty-is-told-before-uneven"),
        pytest.param([BALANCED, MIG_OFF], "more than one MIG device type", None, id="uneven-is-told-before-off"),
    ],
)
def test_resources_by_strategy(
    gpus: Sequence[Sequence[str] | None], single: Mapping[str, int] | str, mixed: Mapping[str, int] | None
) -> None:
    hardware = partitioned(*gpus)

    assert counts(device_map(hardware, NONE)) == {"gpu": 2}
    if isinstance(single, str):
        with pytest.raises(DeviceMapError, match=single):
            device_map(hardware, SINGLE)
    else:
        assert counts(device_map(hardware, SINGLE)) == single
    if mixed is not None:
        assert counts(device_map(hardware, MIXED)) == mixed


def test_empty_gpus_are_only_warned_of_under_mixed() -> None:
    log: list[str] = []

    device_map(partitioned(SEVEN, []), MIXED, log=log)

    assert [line.partition("] ")[2] for line in log] == ["device 1 has no MIG devices configured"]


def test_single_compares_attributes_and_not_names() -> None:
    hardware = partition([("h100-80gb-hbm3", SEVEN), ("a100-sxm4-80gb", SEVEN)])

    assert counts(device_map(hardware, MIXED)) == {"mig-1g.10gb": 14}
    with pytest.raises(DeviceMapError, match="more than one MIG device type"):
        device_map(hardware, SINGLE)


def test_partial_compute_instances_end_the_plugin_from_v0_20() -> None:
    hardware = partitioned(["1c.3g.40gb"])

    assert counts(device_map(hardware, SINGLE)) == {"gpu": 3}
    assert counts(device_map(hardware, MIXED, whole_names=False)) == {"mig-3g.40gb": 3}
    with pytest.raises(DeviceMapError, match=r"MIG profile '1c\.3g\.40gb' does not match any resource patterns"):
        device_map(hardware, MIXED)


def test_media_extensions_hid_under_the_plain_profile_before_v0_20() -> None:
    hardware = partitioned(["1g.10gb", "1g.10gb+me"])

    assert counts(device_map(hardware, MIXED)) == {"mig-1g.10gb": 1, "mig-1g.10gb.me": 1}
    assert counts(device_map(hardware, MIXED, whole_names=False)) == {"mig-1g.10gb": 2}


def test_gpu_instance_without_compute_instance_is_no_device() -> None:
    hardware = partitioned(SEVEN)
    gpu = hardware.gpus[0]
    for instance in gpu.instances:
        gpu.destroy_compute_instance(instance, 0)

    with pytest.raises(DeviceMapError, match="has no MIG devices configured"):
        device_map(hardware, SINGLE)


def test_shared_devices_are_advertised_per_replica() -> None:
    sharing = Sharing("time-slicing", (Shared("nvidia.com/mig-1g.10gb", 3), Shared("nvidia.com/other", 2)))

    found = device_map(partitioned(BALANCED), MIXED, sharing)

    assert counts(found) == {"mig-3g.40gb": 1, "mig-2g.20gb": 1, "mig-1g.10gb": 6}
    shared = found["nvidia.com/mig-1g.10gb"]
    assert Counter(device.uuid for device in shared) == dict.fromkeys({device.uuid for device in shared}, 3)
    assert {device.id.partition("::")[2] for device in shared} == {"0", "1", "2"}


def test_renamed_replicas_leave_the_plain_name_unregistered() -> None:
    sharing = Sharing("time-slicing", (Shared("nvidia.com/gpu", 2, "nvidia.com/gpu.shared"),))

    assert counts(device_map(partitioned(SEVEN), SINGLE, sharing)) == {"gpu.shared": 14}


@pytest.mark.parametrize(
    ("fault", "strategy", "gpus", "found"),
    [
        ("plugin-wrong-resource", MIXED, [BALANCED], {"mig-3g": 1, "mig-2g": 1, "mig-1g": 2}),
        ("plugin-ignores-strategy", SINGLE, [SEVEN], {"mig-1g.10gb": 7}),
        ("plugin-adds-whole-gpus", MIXED, [SEVEN], {"gpu": 1, "mig-1g.10gb": 7}),
        ("plugin-tolerates-mixture", SINGLE, [BALANCED, MIG_OFF], {"gpu": 5}),
    ],
)
def test_faults(fault: str, strategy: Strategy, gpus: Sequence[Sequence[str] | None], found: Mapping[str, int]) -> None:
    assert counts(device_map(partitioned(*gpus), strategy, faults=[fault])) == found


geometries = st.lists(
    st.none() | st.sampled_from([[], SEVEN, BALANCED, ["3g.40gb"], ["1g.20gb"] * 4, ["1c.3g.40gb", "3g.40gb"]]),
    min_size=1,
    max_size=4,
)


@given(geometries)
def test_every_device_is_advertised_once(gpus: list[list[str] | None]) -> None:
    hardware = partitioned(*gpus)
    made = [ci.uuid for gpu in hardware.gpus for gi in gpu.instances for ci in gi.compute_instances]
    whole = [gpu.uuid for gpu in hardware.gpus if not gpu.mode_current]

    none = device_map(hardware, NONE)
    mixed = device_map(hardware, MIXED, whole_names=False)

    assert [device.id for device in none["nvidia.com/gpu"]] == [gpu.uuid for gpu in hardware.gpus]
    assert sorted(device.id for devices in mixed.values() for device in devices) == sorted(made + whole)


@pytest.mark.parametrize("model", load_models().values(), ids=lambda model: model.name)
def test_nvml_gives_the_names_of_the_table(model: GpuModel) -> None:
    total = model.memory_total_mib * 2**20
    named = {
        row.name: str(full_profile(row.nvml_profile, row.memory_mib, total))
        for row in model.profiles
        if "memory_mib" not in row.assumed
    }

    assert named == {name: name for name in named}


def test_unknown_profile_index_cannot_be_named() -> None:
    with pytest.raises(ProfileNameError, match="invalid GPU Instance Profile ID: 17"):
        full_profile(17, 1000, 2**36)


def test_compute_instance_shows_in_the_name() -> None:
    assert profile(2, 0, 40448, 81559 * 2**20) == Profile(1, 3, 40)
