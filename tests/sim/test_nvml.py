"""NVML as privileged operands use it, through the names and calling manner of pynvml.

Expected of a GPU with MIG off: read on a real H100 (driver 580.159.04) through nvidia-ml-py.
"""

from __future__ import annotations

from ctypes import byref, c_uint
from typing import Any

import pynvml
import pytest

from conformance.sim.faults import Faults
from conformance.sim.hardware import NodeHardware
from conformance.sim.nvml import Nvml
from conformance.spec.models import GpuModel, load_models

COMPUTE_PROFILES = {1: 0, 2: 1, 3: 2, 4: 3, 7: 4}


def start(*boards: str, mig: bool = False, faults: tuple[str, ...] = ()) -> Nvml:
    nvml = Nvml(NodeHardware(boards or ("h100-80gb-hbm3",), faults=Faults(faults)))
    nvml.nvmlInit()
    for index in range(nvml.nvmlDeviceGetCount() if mig else 0):
        nvml.nvmlDeviceSetMigMode(nvml.nvmlDeviceGetHandleByIndex(index), nvml.NVML_DEVICE_MIG_ENABLE)
    return nvml


def partition(nvml: Nvml, *profile_ids: int) -> Any:
    """Create MIG devices on GPU 0, each with all compute slices, and return the GPU's handle."""
    gpu = nvml.nvmlDeviceGetHandleByIndex(0)
    for profile_id in profile_ids:
        instance = nvml.nvmlDeviceCreateGpuInstance(gpu, profile_id)
        row = nvml.gpu_instance_of(instance)[1].row
        nvml.nvmlGpuInstanceCreateComputeInstance(instance, COMPUTE_PROFILES[row.slices])
    return gpu


def mig_devices(nvml: Nvml, gpu: Any) -> list[Any]:
    found = []
    for index in range(nvml.nvmlDeviceGetMaxMigDeviceCount(gpu)):
        try:
            found.append(nvml.nvmlDeviceGetMigDeviceHandleByIndex(gpu, index))
        except nvml.NVMLError_NotFound:
            break
    return found


def test_nothing_works_before_init_and_after_shutdown() -> None:
    nvml = Nvml(NodeHardware(["h100-80gb-hbm3"]))
    with pytest.raises(pynvml.NVMLError_Uninitialized):
        nvml.nvmlDeviceGetCount()
    nvml.nvmlInit()
    assert nvml.nvmlDeviceGetCount() == 1
    nvml.nvmlShutdown()
    with pytest.raises(pynvml.NVMLError_Uninitialized):
        nvml.nvmlDeviceGetCount()


def test_driver_not_loaded() -> None:
    hardware = NodeHardware(["h100-80gb-hbm3"])
    hardware.init_error = pynvml.NVML_ERROR_DRIVER_NOT_LOADED
    with pytest.raises(pynvml.NVMLError_DriverNotLoaded, match="Driver Not Loaded"):
        Nvml(hardware).nvmlInit()


def test_versions_and_identity() -> None:
    nvml = start()
    gpu = nvml.nvmlDeviceGetHandleByIndex(0)
    assert nvml.nvmlSystemGetDriverVersion() == "580.159.04"
    assert nvml.nvmlSystemGetNVMLVersion() == "13.580.159.04"
    assert nvml.nvmlSystemGetCudaDriverVersion_v2() == 13000
    assert nvml.nvmlDeviceGetName(gpu) == "NVIDIA H100 80GB HBM3"
    assert nvml.nvmlDeviceGetMemoryInfo(gpu).total == 85520809984
    assert nvml.nvmlDeviceGetCudaComputeCapability(gpu) == (9, 0)
    assert nvml.nvmlDeviceGetArchitecture(gpu) == pynvml.NVML_DEVICE_ARCH_HOPPER
    pci = nvml.nvmlDeviceGetPciInfo(gpu)
    assert (pci.pciDeviceId, pci.pciSubSystemId) == (0x233010DE, 0x16C110DE)
    for bus_id in (pci.busId, pci.busIdLegacy):
        assert nvml.nvmlDeviceGetIndex(nvml.nvmlDeviceGetHandleByPciBusId(bus_id)) == 0


def test_a_gpu_with_mig_off_answers_as_a_real_one() -> None:
    nvml = start()
    gpu = nvml.nvmlDeviceGetHandleByIndex(0)
    assert nvml.nvmlDeviceGetMigMode(gpu) == [0, 0]
    assert nvml.nvmlDeviceGetMaxMigDeviceCount(gpu) == 0
    assert nvml.nvmlDeviceIsMigDeviceHandle(gpu).value == 0
    assert nvml.nvmlDeviceGetGpuInstanceRemainingCapacity(gpu, 19) == 7
    count = c_uint(7)
    nvml.nvmlDeviceGetGpuInstances(gpu, 19, (pynvml.c_nvmlGpuInstance_t * 7)(), byref(count))
    assert count.value == 0
    for function, arguments, error in (
        (nvml.nvmlDeviceGetAttributes_v2, (gpu,), pynvml.NVMLError_NotSupported),
        (nvml.nvmlDeviceGetMigDeviceHandleByIndex, (gpu, 0), pynvml.NVMLError_NotFound),
        (nvml.nvmlDeviceGetGpuInstanceById, (gpu, 1), pynvml.NVMLError_NotFound),
        (nvml.nvmlDeviceGetGpuInstanceId, (gpu,), pynvml.NVMLError_InvalidArgument),
        (nvml.nvmlDeviceGetGpuInstanceProfileInfo, (gpu, 5), pynvml.NVMLError_NotSupported),
        (nvml.nvmlDeviceGetGpuInstanceProfileInfo, (gpu, 17), pynvml.NVMLError_InvalidArgument),
        (nvml.nvmlDeviceGetGpuInstanceProfileInfo, (gpu, 0, 3), pynvml.NVMLError_FunctionNotFound),
        (nvml.nvmlDeviceGetGpuInstanceRemainingCapacity, (gpu, 3), pynvml.NVMLError_InvalidArgument),
        (nvml.nvmlDeviceGetHandleByIndex, (7,), pynvml.NVMLError_InvalidArgument),
        (nvml.nvmlDeviceGetHandleByUUID, ("GPU-0",), pynvml.NVMLError_NotFound),
        (nvml.nvmlDeviceCreateGpuInstance, (gpu, 19), pynvml.NVMLError_NotSupported),
    ):
        with pytest.raises(error):
            function(*arguments)


def test_what_is_not_simulated_is_not_found_and_never_reaches_a_library() -> None:
    nvml = start()
    with pytest.raises(pynvml.NVMLError_FunctionNotFound):
        nvml.nvmlDeviceGetTemperature(nvml.nvmlDeviceGetHandleByIndex(0), 0)
    assert nvml.NVML_DEVICE_MIG_ENABLE == 1
    with pytest.raises(AttributeError):
        _ = nvml.nvmlNoSuchFunction


@pytest.mark.parametrize("bad", [None, 5, "GPU-0", pynvml.c_nvmlDevice_t()], ids=repr)
def test_things_that_are_no_handles_are_refused(bad: object) -> None:
    with pytest.raises(pynvml.NVMLError_InvalidArgument):
        start().nvmlDeviceGetName(bad)


def test_devices_are_enumerated_large_profiles_first() -> None:
    nvml = start(mig=True)
    gpu = partition(nvml, 19, 9, 14)
    devices = mig_devices(nvml, gpu)
    names = [nvml.nvmlDeviceGetName(device) for device in devices]
    assert [name.rpartition(" ")[2] for name in names] == ["3g.40gb", "2g.20gb", "1g.10gb"]
    for device in devices:
        assert nvml.nvmlDeviceIsMigDeviceHandle(device).value == 1
        assert nvml.nvmlDeviceGetUUID(nvml.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(device)) == (
            nvml.nvmlDeviceGetUUID(gpu)
        )
        same = nvml.nvmlDeviceGetHandleByUUID(nvml.nvmlDeviceGetUUID(device))
        assert nvml.nvmlDeviceGetGpuInstanceId(same) == nvml.nvmlDeviceGetGpuInstanceId(device)


def test_instances_are_listed_through_out_parameters_and_destroyed_inside_out() -> None:
    nvml = start(mig=True)
    gpu = partition(nvml, 19, 19, 9)
    array, count = (pynvml.c_nvmlGpuInstance_t * 7)(), c_uint()
    nvml.nvmlDeviceGetGpuInstances(gpu, 19, array, byref(count))
    assert [nvml.nvmlGpuInstanceGetInfo(array[at]).placement.start for at in range(count.value)] == [5, 6]
    with pytest.raises(pynvml.NVMLError_InUse):
        nvml.nvmlGpuInstanceDestroy(array[0])
    inner = (pynvml.c_nvmlComputeInstance_t * 1)()
    nvml.nvmlGpuInstanceGetComputeInstances(array[0], 0, inner, byref(count))
    assert nvml.nvmlComputeInstanceGetInfo_v2(inner[0]).profileId == 0
    nvml.nvmlComputeInstanceDestroy(inner[0])
    nvml.nvmlGpuInstanceDestroy(array[0])
    nvml.nvmlDeviceGetGpuInstances(gpu, 19, array, byref(count))
    assert count.value == 1
    with pytest.raises(pynvml.NVMLError_NotFound):
        nvml.nvmlGpuInstanceGetInfo(nvml.nvmlDeviceGetGpuInstanceById(gpu, 8))


def test_a_full_gpu_refuses_with_insufficient_resources() -> None:
    nvml = start(mig=True)
    gpu = partition(nvml, *[19] * 7)
    with pytest.raises(pynvml.NVMLError_InsufficientResources):
        nvml.nvmlDeviceCreateGpuInstance(gpu, 19)
    assert nvml.nvmlDeviceGetGpuInstanceRemainingCapacity(gpu, 15) == 0


def test_compute_instances_share_the_engines_of_their_gpu_instance() -> None:
    """Expected: feature-labels.json, case compute-instances-1c.3g of the H100."""
    nvml = start(mig=True)
    gpu = nvml.nvmlDeviceGetHandleByIndex(0)
    instance = nvml.nvmlDeviceCreateGpuInstance(gpu, 9)
    for _ in range(3):
        nvml.nvmlGpuInstanceCreateComputeInstance(instance, 0)
    with pytest.raises(pynvml.NVMLError_InsufficientResources):
        nvml.nvmlGpuInstanceCreateComputeInstance(instance, 0)
    device = mig_devices(nvml, gpu)[2]
    has = nvml.nvmlDeviceGetAttributes_v2(device)
    assert nvml.nvmlDeviceGetName(device).endswith("MIG 1c.3g.40gb")
    assert (has.multiprocessorCount, has.memorySizeMB, has.sharedCopyEngineCount) == (16, 40448, 3)
    assert (has.computeInstanceSliceCount, has.gpuInstanceSliceCount) == (1, 3)


@pytest.mark.parametrize(
    ("gpu_slices", "profile_id", "offered"),
    [
        (1, 19, {1: 1}),
        (2, 14, {1: 2, 2: 1}),
        (3, 9, {1: 3, 2: 1, 3: 1}),
        (4, 5, {1: 4, 2: 2, 4: 1}),
        (7, 0, {1: 7, 2: 3, 3: 2, 4: 1, 7: 1}),
    ],
)
def test_offered_compute_profiles(gpu_slices: int, profile_id: int, offered: dict[int, int]) -> None:
    """Expected: docs/reference/nvidia-smi.md#compute-instances."""
    nvml = start(mig=True)
    instance = nvml.nvmlDeviceCreateGpuInstance(nvml.nvmlDeviceGetHandleByIndex(0), profile_id)
    found = {}
    for profile in range(pynvml.NVML_COMPUTE_INSTANCE_PROFILE_COUNT):
        try:
            info = nvml.nvmlGpuInstanceGetComputeInstanceProfileInfo(instance, profile, 0)
        except pynvml.NVMLError_NotSupported:
            continue
        found[info.sliceCount] = info.instanceCount
    assert found == offered
    assert max(found) == gpu_slices


def test_a_pending_mode_succeeds_and_says_why_it_waits() -> None:
    nvml = start("a100-sxm4-40gb", "h100-80gb-hbm3")
    nvml.hardware.hold(1, pid=9)
    ampere, hopper = (nvml.nvmlDeviceGetHandleByIndex(index) for index in range(2))
    assert nvml.nvmlDeviceSetMigMode(ampere, 1) == pynvml.NVML_ERROR_RESET_REQUIRED
    assert nvml.nvmlDeviceSetMigMode(hopper, 1) == pynvml.NVML_ERROR_IN_USE
    assert [nvml.nvmlDeviceGetMigMode(gpu) for gpu in (ampere, hopper)] == [[0, 1], [0, 1]]
    assert [process.pid for process in nvml.nvmlDeviceGetComputeRunningProcesses(hopper)] == [9]


def test_old_drivers_list_profiles_only_with_mig_on() -> None:
    nvml = start()
    nvml.hardware.profiles_need_mig = True
    gpu = nvml.nvmlDeviceGetHandleByIndex(0)
    with pytest.raises(pynvml.NVMLError_NotSupported):
        nvml.nvmlDeviceGetGpuInstanceProfileInfo(gpu, 0)
    nvml.nvmlDeviceSetMigMode(gpu, 1)
    assert nvml.nvmlDeviceGetGpuInstanceProfileInfo(gpu, 0).id == 19


def test_a_gpu_without_mig() -> None:
    nvml = start()
    nvml.hardware.gpus[0].mig_capable = False
    gpu = nvml.nvmlDeviceGetHandleByIndex(0)
    for refused in (lambda: nvml.nvmlDeviceGetMigMode(gpu), lambda: nvml.nvmlDeviceGetGpuInstanceProfileInfo(gpu, 0)):
        with pytest.raises(pynvml.NVMLError_NotSupported):
            refused()
    assert nvml.nvmlDeviceGetMaxMigDeviceCount(gpu) == 0


CONFIRMED = [model for model in load_models().values() if "memory_total_mib" not in model.assumed]


@pytest.mark.parametrize("model", CONFIRMED, ids=lambda model: model.name)
def test_memory_figures_give_the_profile_names_of_go_nvlib(model: GpuModel) -> None:
    """GB = round(ceil(8 * instance / total) / 8 * ceil(total in GiB)), wherever both figures are confirmed."""
    for row in model.profiles:
        if "memory_mib" not in row.assumed:
            eighths = -(-8 * row.memory_mib // model.memory_total_mib)
            assert int(eighths / 8 * -(-model.memory_total_mib // 1024) + 0.5) == row.profile.memory_gb


def test_faults() -> None:
    healthy = start(mig=True)
    broken = start(mig=True, faults=("nvml-doubled-uuid", "nvml-wrong-placement", "nvml-wrong-multiprocessors"))
    uuids, sms, starts = {}, {}, {}
    for nvml in (healthy, broken):
        gpu = partition(nvml, 9, 14, 19)
        devices = mig_devices(nvml, gpu)
        uuids[nvml] = [nvml.nvmlDeviceGetUUID(device) for device in devices]
        sms[nvml] = [nvml.nvmlDeviceGetAttributes_v2(device).multiprocessorCount for device in devices]
        instances = [nvml.nvmlDeviceGetGpuInstanceById(gpu, nvml.nvmlDeviceGetGpuInstanceId(each)) for each in devices]
        starts[nvml] = [nvml.nvmlGpuInstanceGetInfo(instance).placement.start for instance in instances]
    assert uuids[broken] == [uuids[healthy][0], uuids[healthy][0], uuids[healthy][2]]
    assert sms[broken] == [count - 1 for count in sms[healthy]]
    assert starts[healthy] == [4, 2, 1]
    assert starts[broken] == [5, 3, 1]
