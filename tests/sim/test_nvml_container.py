"""NVML inside a container: docs/reference/device-plugin.md#containers."""

from __future__ import annotations

import pynvml
import pytest

from conformance.sim.hardware import NodeHardware
from conformance.sim.nvml import Nvml


@pytest.fixture
def hardware() -> NodeHardware:
    """Two GPUs; the second is cut into 3g and 2g."""
    hardware = NodeHardware(["h100-80gb-hbm3"] * 2)
    gpu = hardware.gpus[1]
    hardware.set_mode(gpu, True)
    for profile, compute in (("3g.40gb", 2), ("2g.20gb", 1)):
        gpu.create_compute_instance(gpu.create_instance(gpu.model.row(profile)), compute)
    return hardware


def inside(hardware: NodeHardware, *uuids: str) -> Nvml:
    nvml = Nvml(hardware, frozenset(uuids))
    nvml.nvmlInit()
    return nvml


def test_one_mig_device_comes_with_its_parent_renumbered(hardware: NodeHardware) -> None:
    device = hardware.gpus[1].instances[1].compute_instances[0]
    nvml = inside(hardware, device.uuid)
    assert nvml.nvmlDeviceGetCount() == 1
    gpu = nvml.nvmlDeviceGetHandleByIndex(0)
    assert nvml.nvmlDeviceGetUUID(gpu) == hardware.gpus[1].uuid
    assert nvml.nvmlDeviceGetUUID(nvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, 0)) == device.uuid
    with pytest.raises(pynvml.NVMLError_NotFound):
        nvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, 1)


def test_a_whole_gpu_shows_no_mig_devices(hardware: NodeHardware) -> None:
    nvml = inside(hardware, hardware.gpus[1].uuid)
    with pytest.raises(pynvml.NVMLError_NotFound):
        nvml.nvmlDeviceGetMigDeviceHandleByIndex(nvml.nvmlDeviceGetHandleByIndex(0), 0)


def test_nothing_is_visible_without_devices(hardware: NodeHardware) -> None:
    assert inside(hardware).nvmlDeviceGetCount() == 0


def test_configuring_and_monitoring_need_more_rights(hardware: NodeHardware) -> None:
    nvml = inside(hardware, hardware.gpus[1].instances[0].compute_instances[0].uuid)
    gpu = nvml.nvmlDeviceGetHandleByIndex(0)
    for refused in (
        lambda: nvml.nvmlDeviceSetMigMode(gpu, 0),
        lambda: nvml.nvmlDeviceCreateGpuInstance(gpu, 19),
        lambda: nvml.nvmlDeviceGetGpuInstanceById(gpu, 1),
        lambda: nvml.nvmlDeviceGetMemoryInfo(gpu),
    ):
        with pytest.raises(pynvml.NVMLError_NoPermission):
            refused()
    device = nvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, 0)
    assert nvml.nvmlDeviceGetMemoryInfo(device).total == 40448 << 20
