"""Device lists of `nvidia-smi -L`, and UUIDs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from conformance.expect.finding import ConformanceError
from conformance.expect.geometry import observed_geometry
from conformance.expect.listings import check_device_list, check_same_devices, check_unique, check_unique_across_nodes
from conformance.expect.observed import ListedDevice, ListedGpu
from tests.expect.made import BALANCED, SEVEN, context, gpu, listed, message_of


def test_complete_lists_pass() -> None:
    gpus = [gpu(SEVEN), gpu(BALANCED, index=1), gpu(index=2)]
    lists = [listed(one) for one in gpus]

    check_device_list(context(), lists, observed_geometry(gpus))
    check_same_devices(context(), lists, gpus)


def test_a_missing_line() -> None:
    seven = gpu(SEVEN)

    assert message_of(
        lambda: check_device_list(context(requirement="D-18"), [listed(seven, 6)], observed_geometry([seven]))
    ) == (
        "D-18 nvidia-smi -L of node sim-0 under single, all-1g.10gb\n"
        "  expected    GPU 0: 7 MIG lines: 7 x MIG 1g.10gb\n"
        "  found       GPU 0: 6 MIG lines: 6 x MIG 1g.10gb"
    )


def test_gpu_lines_without_mig_lines() -> None:
    seven = gpu(SEVEN)

    assert "likely      the geometry was not applied" in message_of(
        lambda: check_device_list(context(), [listed(seven, 0)], observed_geometry([seven]))
    )


def test_wrong_numbers_and_missing_gpus() -> None:
    seven = gpu(SEVEN)
    whole = listed(seven)
    renumbered = replace(whole, devices=tuple(replace(one, index=one.index + 1) for one in whole.devices))

    assert "numbered [1, 2, 3, 4, 5, 6, 7]" in message_of(
        lambda: check_device_list(context(), [renumbered], observed_geometry([seven]))
    )
    assert "missing     GPU 0" in message_of(lambda: check_device_list(context(), [], observed_geometry([seven])))


def test_a_duplicate_uuid() -> None:
    assert message_of(lambda: check_unique(context(requirement="D-18"), ["MIG-a", "MIG-b", "MIG-a"])) == (
        "D-18 UUIDs of node sim-0 under single, all-1g.10gb\n"
        "  expected    every UUID once\n"
        "  found       MIG-a (2 times)"
    )
    twice = [listed(gpu(), 0), listed(gpu())]
    assert "found       GPU-00000000-0000-0000-0000-000000000000 (2 times)" in message_of(
        lambda: check_device_list(context(), twice, observed_geometry([gpu()]))
    )
    seven = gpu(SEVEN)
    duplicate = replace(listed(seven), devices=(*listed(seven, 6).devices, ListedDevice("1g.10gb", 6, "MIG-0-1-0")))
    assert "MIG-0-1-0 (2 times)" in message_of(
        lambda: check_device_list(context(), [duplicate], observed_geometry([seven]))
    )


def across(**holders: tuple[str, ...]) -> None:
    check_unique_across_nodes(context(), {uuid.replace("_", "-"): nodes for uuid, nodes in holders.items()})


def test_uuids_of_two_nodes_differ() -> None:
    across()
    across(GPU_0=("sim-0",), MIG_0=("sim-0",))


def test_a_uuid_on_two_nodes_is_told_with_both() -> None:
    with pytest.raises(ConformanceError) as failed:
        across(MIG_9=("sim-0",), MIG_0=("sim-0", "sim-1", "sim-2"), GPU_0=("sim-0", "sim-1"))

    assert str(failed.value) == (
        "D-01 UUIDs of node sim-0 under single, all-1g.10gb\n"
        "  expected    every UUID on one node only\n"
        "  found       GPU-0 on nodes sim-0 and sim-1\n"
        "              MIG-0 on nodes sim-0 and sim-1 and sim-2\n"
        "  likely      the nodes are copies of one machine, or their hypervisor gives them the same GPU"
    )


def test_of_many_uuids_a_few_are_shown() -> None:
    with pytest.raises(ConformanceError) as failed:
        across(**{f"MIG-{number:02}": ("sim-0", "sim-1") for number in range(56)})

    assert failed.value.finding.found[-1] == "and 48 more UUIDs"
    assert len(failed.value.finding.found) == 9


def test_nvml_and_nvidia_smi_disagree() -> None:
    seven = gpu([[19, 0, 1, 1], [19, 1, 1, 1]])
    other = replace(listed(seven, 1), devices=(ListedDevice("1g.10gb", 0, "MIG-x"), listed(seven).devices[1]))

    assert message_of(lambda: check_same_devices(context(requirement="D-18"), [other], [seven])) == (
        "D-18 nvidia-smi -L compared with NVML of node sim-0 under single, all-1g.10gb\n"
        "  expected    GPU 0 Device 0: 1g.10gb MIG-0-1-0\n"
        "  found       GPU 0 Device 0: 1g.10gb MIG-x"
    )


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        (lambda one: replace(one, name="NVIDIA H100"), "found       GPU 0: NVIDIA H100 GPU-00000000"),
        (lambda one: replace(one, uuid="GPU-1"), "found       GPU 0: NVIDIA H100 80GB HBM3 GPU-1"),
        (lambda one: replace(one, devices=one.devices[::-1]), "found       GPU 0 Device 0: 1g.10gb MIG-0-4-0"),
        (lambda one: replace(one, devices=one.devices[:3]), "missing     GPU 0 Device 3"),
        (lambda one: replace(one, index=1), "missing     GPU 0"),
    ],
    ids=["name", "UUID", "order", "one missing", "index"],
)
def test_a_line_that_nvml_does_not_confirm(changed: Callable[[ListedGpu], ListedGpu], says: str) -> None:
    balanced = gpu(BALANCED)

    assert says in message_of(lambda: check_same_devices(context(), [changed(listed(balanced))], [balanced]))


def test_devices_under_another_gpu() -> None:
    gpus = [gpu(SEVEN), gpu(SEVEN, index=1)]
    first, second = map(listed, gpus)
    crossed = [replace(first, devices=second.devices), replace(second, devices=first.devices)]

    assert "found       GPU 0 Device 0: 1g.10gb MIG-1-1-0" in message_of(
        lambda: check_same_devices(context(), crossed, gpus)
    )
