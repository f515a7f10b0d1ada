"""Mode changes, resets and reboots, by generation. Expected: `faults` in tests/recordings."""

from __future__ import annotations

import pytest

from conformance.sim.faults import Faults
from conformance.sim.hardware import DriverError, Gpu, NodeHardware, ResetRefusedError, ResetUnsupportedError


def modes(node: NodeHardware) -> list[tuple[bool, bool]]:
    return [(gpu.mode_current, gpu.mode_pending) for gpu in node.gpus]


def fill(gpu: Gpu) -> None:
    gpu.create_compute_instance(gpu.create_instance(gpu.model.profiles[0]), 0)


def test_hopper_switches_at_once_and_forgets_in_a_reboot() -> None:
    node = NodeHardware(["h100-80gb-hbm3"])
    assert node.set_mode(node.gpus[0], True)
    fill(node.gpus[0])
    node.reboot()
    assert modes(node) == [(False, False)]
    assert node.gpus[0].instances == []


def test_ampere_waits_for_a_reset_and_keeps_the_mode_in_a_reboot() -> None:
    node = NodeHardware(["a100-sxm4-40gb"])
    assert not node.set_mode(node.gpus[0], True)
    assert modes(node) == [(False, True)]
    node.reset()
    assert modes(node) == [(True, True)]
    fill(node.gpus[0])
    node.reboot()
    assert modes(node) == [(True, True)]
    assert node.gpus[0].instances == []


def test_a_held_gpu_keeps_its_mode_pending_and_refuses_the_reset_of_all() -> None:
    node = NodeHardware(["h100-80gb-hbm3"] * 2)
    node.hold(0, pid=4242)
    assert [node.set_mode(gpu, True) for gpu in node.gpus] == [False, True]
    with pytest.raises(ResetRefusedError) as refused:
        node.reset()
    assert refused.value.busy == (node.gpus[0].pci_bus_id,)
    assert modes(node) == [(False, True), (True, True)]
    node.release(4242)
    node.reset()
    assert modes(node) == [(True, True), (True, True)]


def test_going_back_takes_away_what_was_pending() -> None:
    node = NodeHardware(["h100-80gb-hbm3"])
    node.hold(0, pid=1)
    node.set_mode(node.gpus[0], True)
    assert node.set_mode(node.gpus[0], False)
    assert modes(node) == [(False, False)]


def test_where_only_a_reboot_helps_resets_are_impossible() -> None:
    node = NodeHardware(["a100-sxm4-40gb"])
    node.mode_needs_reboot = True
    assert not node.set_mode(node.gpus[0], True)
    with pytest.raises(ResetUnsupportedError):
        node.reset()
    before = node.boot_id
    node.reboot()
    assert modes(node) == [(True, True)]
    assert node.boot_id != before


def test_instances_keep_the_mode_from_changing() -> None:
    node = NodeHardware(["h100-80gb-hbm3"])
    node.set_mode(node.gpus[0], True)
    fill(node.gpus[0])
    assert not node.set_mode(node.gpus[0], False)
    assert modes(node) == [(True, False)]


def test_a_gpu_without_mig_refuses_the_mode() -> None:
    node = NodeHardware(["h100-80gb-hbm3"])
    node.gpus[0].mig_capable = False
    with pytest.raises(DriverError, match="NOT_SUPPORTED"):
        node.set_mode(node.gpus[0], True)


def test_only_the_held_mig_device_is_in_use() -> None:
    node = NodeHardware(["h100-80gb-hbm3"])
    gpu = node.gpus[0]
    node.set_mode(gpu, True)
    fill(gpu)
    fill(gpu)
    held, idle = gpu.instances
    node.hold(0, pid=7, gi_id=held.id)
    gpu.destroy_compute_instance(idle, 0)
    gpu.destroy_instance(idle)
    with pytest.raises(DriverError, match="IN_USE"):
        gpu.destroy_compute_instance(held, 0)
    node.release()
    with pytest.raises(DriverError, match="IN_USE"):
        gpu.destroy_instance(held)
    gpu.destroy_compute_instance(held, 0)
    gpu.destroy_instance(held)


def test_reset_of_one_gpu_leaves_the_others() -> None:
    node = NodeHardware(["h100-80gb-hbm3"] * 2)
    for gpu in node.gpus:
        node.set_mode(gpu, True)
        fill(gpu)
    node.reset([1])
    assert [len(gpu.instances) for gpu in node.gpus] == [1, 0]


def test_addresses_and_numa_nodes_of_eight_gpus() -> None:
    node = NodeHardware(["h100-80gb-hbm3"] * 8)
    assert node.gpus[0].pci_bus_id == "00000000:07:00.0"
    assert len({gpu.pci_bus_id for gpu in node.gpus}) == 8
    assert [gpu.numa_node for gpu in node.gpus] == [0, 0, 0, 0, 1, 1, 1, 1]
    assert [gpu.numa_node for gpu in NodeHardware(["h100-80gb-hbm3"]).gpus] == [0]


def test_the_fault_loses_the_newest_instance_of_gpu_0_once() -> None:
    node = NodeHardware(["h100-80gb-hbm3"] * 2, faults=Faults(["hardware-loses-instance"]))
    for gpu in node.gpus:
        node.set_mode(gpu, True)
        for _ in range(7):
            fill(gpu)
    assert [len(gpu.instances) for gpu in node.gpus] == [6, 7]
    assert [len(gpu.instances) for gpu in node.gpus] == [6, 7]


def test_the_fault_loses_the_compute_instance_of_the_newest_instance_of_gpu_0() -> None:
    node = NodeHardware(["h100-80gb-hbm3"] * 2, faults=Faults(["hardware-loses-compute-instance"]))
    for gpu in node.gpus:
        node.set_mode(gpu, True)
        for _ in range(7):
            fill(gpu)
    found = [[len(instance.compute_instances) for instance in gpu.instances] for gpu in node.gpus]
    assert [(len(counts), sum(counts)) for counts in found] == [(7, 6), (7, 7)]


@pytest.mark.parametrize("same", [True, False])
def test_the_fault_gives_all_nodes_the_same_uuids(same: bool) -> None:
    faults = Faults(["hardware-same-uuids"] if same else [])
    first, second = (NodeHardware(["h100-80gb-hbm3"] * 2, node=name, faults=faults) for name in ("a", "b"))
    assert ({gpu.uuid for gpu in first.gpus} == {gpu.uuid for gpu in second.gpus}) == same
    assert len({gpu.uuid for gpu in first.gpus}) == 2


def test_dcgm_on_the_host_uses_every_gpu_and_starts_again_with_the_node() -> None:
    node = NodeHardware(["h100-80gb-hbm3", "h100-80gb-hbm3"], faults=Faults(["host-runs-dcgm"]))
    for _ in range(2):
        assert list(node.processes.values()) == ["nv-hostengine"]
        assert [len(gpu.clients) for gpu in node.gpus] == [1, 1]
        assert not node.set_mode(node.gpus[0], True)
        node.reboot()


@pytest.mark.parametrize(("board", "held"), [("a100-sxm4-80gb", 1), ("h100-80gb-hbm3", 0)])
def test_persistenced_holds_gpus_that_need_a_reset_alone(board: str, held: int) -> None:
    node = NodeHardware([board], faults=Faults(["host-runs-persistenced"]))

    assert list(node.processes.values()) == ["nvidia-persiste"]
    assert len(node.gpus[0].clients) == held


def test_nothing_runs_on_a_healthy_host() -> None:
    node = NodeHardware(["h100-80gb-hbm3"])

    assert node.processes == {}
    assert node.gpus[0].clients == []
