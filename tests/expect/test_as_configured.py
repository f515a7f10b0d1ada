"""What a node that is only read must show of its configuration."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from conformance.expect.as_configured import (
    check_instances_listed,
    check_labels_as_configured,
    check_listing_as_configured,
)
from conformance.expect.finding import CheckContext, ConformanceError
from conformance.expect.geometry import wanted_geometry
from conformance.expect.instance_list import read_gpu_instances
from conformance.expect.labels import expected_labels
from conformance.expect.observed import ListedDevice, ListedGpu, ObservedGpu, ObservedGpuInstance
from conformance.spec.mig_parted import Entry
from conformance.spec.names import Strategy
from tests.expect.made import gpu

HOPPER = (9, 0)


def configuration(
    *, enabled: bool = True, devices: tuple[int, ...] | None = None, **profiles: int
) -> tuple[Entry, ...]:
    """`_1g_10gb=7` is seven of 1g.10gb."""
    wanted = {name.strip("_").replace("_", "."): count for name, count in profiles.items()}
    return (Entry(devices, enabled, wanted),)


OFF = configuration(enabled=False)
SEVEN = configuration(_1g_10gb=7)


def about(strategy: Strategy = Strategy.SINGLE) -> CheckContext:
    return CheckContext(("D-01",), "a", strategy, "all-1g.10gb")


def labels_of(gpus: list[ObservedGpu], entries: tuple[Entry, ...], strategy: Strategy) -> dict[str, str]:
    """The labels of a node with these GPUs, as GPU Feature Discovery writes them."""
    (expected,) = expected_labels(gpus, wanted_geometry(gpus, entries), strategy, None)
    return {name: "any" if value is None else value for name, value in expected.items()}


@pytest.mark.parametrize("strategy", [Strategy.SINGLE, Strategy.MIXED])
@pytest.mark.parametrize("entries", [OFF, SEVEN, configuration(), configuration(_1g_10gb=2, _3g_40gb=1)])
def test_labels_of_the_configuration_are_right(strategy: Strategy, entries: tuple[Entry, ...]) -> None:
    gpus = [gpu(index=0), gpu(index=1)]
    labels = labels_of(gpus, entries, strategy)

    check_labels_as_configured(about(strategy), labels, gpus, entries)


@pytest.mark.parametrize("lost", ["nvidia.com/gpu.family", "nvidia.com/mig.capable", "nvidia.com/gpu.machine"])
def test_a_label_of_the_family_that_is_missing_is_found(lost: str) -> None:
    gpus = [gpu(index=0)]
    labels = labels_of(gpus, OFF, Strategy.SINGLE)
    del labels[lost]

    with pytest.raises(ConformanceError) as raised:
        check_labels_as_configured(about(), labels, gpus, OFF)
    assert lost in str(raised.value)


def test_memory_of_a_gpu_may_be_what_its_driver_leaves() -> None:
    gpus = [gpu(index=0)]
    labels = labels_of(gpus, OFF, Strategy.SINGLE) | {"nvidia.com/gpu.memory": "81000"}

    check_labels_as_configured(about(), labels, gpus, OFF)


def test_labels_of_another_geometry_are_found() -> None:
    gpus = [gpu(index=0)]
    with pytest.raises(ConformanceError, match=r"MIG-1g\.10gb"):
        check_labels_as_configured(about(), labels_of(gpus, SEVEN, Strategy.SINGLE), gpus, OFF)


def test_gpus_that_the_configuration_leaves_alone_are_not_judged() -> None:
    gpus = [gpu(index=0), gpu(index=1)]
    check_labels_as_configured(about(), {}, gpus, configuration(devices=(0,), _1g_10gb=7))


def listed(index: int, *profiles: str) -> ListedGpu:
    devices = tuple(ListedDevice(name, number, f"MIG-{number}") for number, name in enumerate(profiles))
    return ListedGpu(index, "NVIDIA H100 80GB HBM3", f"GPU-{index}", devices)


def test_the_listing_is_that_of_the_configuration() -> None:
    both = [listed(0, *["1g.10gb"] * 7), listed(1, *["1g.10gb"] * 7)]
    check_listing_as_configured(about(), both, SEVEN, HOPPER)
    check_listing_as_configured(about(), [listed(0), listed(1)], OFF, HOPPER)
    check_listing_as_configured(about(), [listed(0, "3g.40gb"), listed(1)], configuration(devices=(1,)), HOPPER)


@pytest.mark.parametrize("found", [(), ("1g.10gb",), ("1g.10gb",) * 6 + ("1g.20gb",)])
def test_other_devices_than_those_of_the_configuration_are_found(found: tuple[str, ...]) -> None:
    with pytest.raises(ConformanceError) as raised:
        check_listing_as_configured(about(), [listed(0, *found)], SEVEN, HOPPER)
    assert "GPU 0: 7 x 1g.10gb" in str(raised.value)


def instances(*profiles: str) -> Mapping[int, tuple[ObservedGpuInstance, ...]]:
    return {0: tuple(ObservedGpuInstance(number, name, number, 1) for number, name in enumerate(profiles))}


def test_every_instance_has_its_device() -> None:
    check_instances_listed(about(), [listed(0, "1g.10gb", "3g.40gb")], instances("3g.40gb", "1g.10gb"))
    check_instances_listed(about(), [listed(0, "1c.3g.40gb", "1c.3g.40gb")], instances("3g.40gb"))
    check_instances_listed(about(), [listed(0)], {})


@pytest.mark.parametrize(("devices", "made"), [((), ("1g.10gb",)), (("1g.10gb",), ()), (("1g.10gb",), ("3g.40gb",))])
def test_an_instance_without_its_device_is_found(devices: tuple[str, ...], made: tuple[str, ...]) -> None:
    with pytest.raises(ConformanceError, match="GPU 0"):
        check_instances_listed(about(), [listed(0, *devices)], instances(*made))


def test_what_is_no_list_of_instances_is_told_apart_from_an_empty_one() -> None:
    assert read_gpu_instances("No MIG-enabled devices found.\n") == {}
    assert read_gpu_instances("Insufficient Permissions\n") is None
