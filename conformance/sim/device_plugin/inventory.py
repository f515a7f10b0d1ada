"""The GPUs and MIG devices of a node, read through NVML as the device plugin and GPU Feature Discovery read them.

Source: go-nvlib 0.12.0, pkg/nvlib/device (device.go, mig_device.go), as vendored by
NVIDIA/k8s-device-plugin v0.20.0.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

import pynvml

from conformance.sim.device_plugin.profile_names import ProfileNameError, full_profile, profile
from conformance.sim.hardware import NodeHardware
from conformance.sim.nvml import Nvml
from conformance.spec.profile import Profile

_MIB: Final = 2**20


@dataclass(frozen=True)
class Attributes:
    """NVML attributes of a MIG device; engines belong to its GPU instance."""

    memory_mib: int
    multiprocessors: int
    gpu_slices: int
    compute_slices: int
    copy: int
    decoder: int
    encoder: int
    jpeg: int
    ofa: int


@dataclass(frozen=True)
class MigDevice:
    """A MIG device: a compute instance.

    Attributes:
        index: NVML index on the parent GPU; indexes can have gaps.
        uuid: `MIG-` and a UUID.
        gpu_instance: Id of the GPU instance.
        compute_instance: Id of the compute instance in the GPU instance.
        profile: Profile of the device.
        attributes: NVML attributes.
    """

    index: int
    uuid: str
    gpu_instance: int
    compute_instance: int
    profile: Profile
    attributes: Attributes


@dataclass(frozen=True)
class Gpu:
    """One GPU.

    Attributes:
        index: NVML index.
        minor: Number of its device file, `/dev/nvidia<minor>`.
        uuid: `GPU-` and a UUID.
        name: Product name, such as `NVIDIA H100 80GB HBM3`.
        numa: NUMA node; None if unknown.
        memory_mib: Total memory in MiB.
        capability: CUDA compute capability, major and minor.
        mig_capable: Whether NVML reports a MIG mode.
        mig_enabled: The current mode; a pending mode is ignored.
        offered: Profiles that it offers, by NVML index; empty if it is not MIG capable.
        devices: MIG devices by NVML index. A GPU instance without compute instances has none.
    """

    index: int
    minor: int
    uuid: str
    name: str
    numa: int | None
    memory_mib: int
    capability: tuple[int, int]
    mig_capable: bool
    mig_enabled: bool
    offered: tuple[Profile, ...]
    devices: tuple[MigDevice, ...]


_READ: Final[WeakKeyDictionary[NodeHardware, dict[Hashable, Gpu]]] = WeakKeyDictionary()
"""Cache of GPUs by node and state. It is always valid: NVML's answers depend only on `Nvml.state` and on the node's
boards and faults, which never change."""


def read_gpus(nvml: Nvml) -> tuple[Gpu, ...]:
    """Read every GPU; NVML must be initialised.

    Raises:
        pynvml.NVMLError: NVML fails, other than for an unsupported profile or a missing device.
        ProfileNameError: A profile has an index that go-nvlib does not know.
    """
    known = _READ.setdefault(nvml.hardware, {})
    gpus = []
    for index in range(nvml.nvmlDeviceGetCount()):
        state = (index, nvml.state(index))
        if state not in known:
            known[state] = _read_gpu(nvml, index)
        gpus.append(known[state])
    return tuple(gpus)


def _read_gpu(nvml: Nvml, index: int) -> Gpu:
    handle = nvml.nvmlDeviceGetHandleByIndex(index)
    mode = _unless_absent(nvml.nvmlDeviceGetMigMode, handle)
    capable = mode is not None
    total = nvml.nvmlDeviceGetMemoryInfo(handle).total
    indexes = range(pynvml.NVML_GPU_INSTANCE_PROFILE_COUNT) if capable else ()
    profiles = _present(indexes, nvml.nvmlDeviceGetGpuInstanceProfileInfo, handle)
    places = range(nvml.nvmlDeviceGetMaxMigDeviceCount(handle)) if capable else ()
    devices = _present(places, nvml.nvmlDeviceGetMigDeviceHandleByIndex, handle)
    computes: dict[int, Mapping[int, Any]] = {}
    major, minor = nvml.nvmlDeviceGetCudaComputeCapability(handle)
    return Gpu(
        index=index,
        minor=nvml.nvmlDeviceGetMinorNumber(handle),
        uuid=nvml.nvmlDeviceGetUUID(handle),
        name=nvml.nvmlDeviceGetName(handle),
        numa=_unless_absent(nvml.nvmlDeviceGetNumaNodeId, handle),
        memory_mib=total // _MIB,
        capability=(major, minor),
        mig_capable=capable,
        mig_enabled=capable and mode[0] == pynvml.NVML_DEVICE_MIG_ENABLE,
        offered=tuple(full_profile(number, info.memorySizeMB, total) for number, info in profiles.items()),
        devices=tuple(
            _mig_device(nvml, handle, profiles, computes, index, device) for index, device in devices.items()
        ),
    )


def _mig_device(
    nvml: Nvml, gpu: Any, profiles: Mapping[int, Any], computes: dict[int, Mapping[int, Any]], index: int, device: Any
) -> MigDevice:
    """Read one MIG device; `computes` caches the compute instance profiles of the GPU by GPU instance profile."""
    total = nvml.nvmlDeviceGetMemoryInfo(gpu).total
    record = nvml.nvmlDeviceGetAttributes_v2(device)
    gpu_instance_id = nvml.nvmlDeviceGetGpuInstanceId(device)
    compute_instance_id = nvml.nvmlDeviceGetComputeInstanceId(device)
    gpu_instance = nvml.nvmlDeviceGetGpuInstanceById(gpu, gpu_instance_id)
    compute_instance = nvml.nvmlGpuInstanceGetComputeInstanceById(gpu_instance, compute_instance_id)
    profile_id = nvml.nvmlGpuInstanceGetInfo(gpu_instance).profileId
    if profile_id not in computes:
        computes[profile_id] = _present(
            range(pynvml.NVML_COMPUTE_INSTANCE_PROFILE_COUNT),
            nvml.nvmlGpuInstanceGetComputeInstanceProfileInfo,
            gpu_instance,
            pynvml.NVML_COMPUTE_INSTANCE_ENGINE_PROFILE_SHARED,
        )
    named = profile(
        _index_of(profiles, profile_id),
        _index_of(computes[profile_id], nvml.nvmlComputeInstanceGetInfo_v2(compute_instance).profileId),
        record.memorySizeMB,
        total,
    )
    return MigDevice(
        index, nvml.nvmlDeviceGetUUID(device), gpu_instance_id, compute_instance_id, named, _attributes(record)
    )


def _attributes(record: Any) -> Attributes:
    return Attributes(
        memory_mib=record.memorySizeMB,
        multiprocessors=record.multiprocessorCount,
        gpu_slices=record.gpuInstanceSliceCount,
        compute_slices=record.computeInstanceSliceCount,
        copy=record.sharedCopyEngineCount,
        decoder=record.sharedDecoderCount,
        encoder=record.sharedEncoderCount,
        jpeg=record.sharedJpegCount,
        ofa=record.sharedOfaCount,
    )


def _index_of(profiles: Mapping[int, Any], wanted: int) -> int:
    for index, info in profiles.items():
        if info.id == wanted:
            return index
    raise ProfileNameError("no matching profile IDs found")


def _present(indexes: Iterable[int], ask: Callable[..., Any], owner: Any, *more: Any) -> dict[int, Any]:
    """Call `ask(owner, index, *more)` for every index; omit what NVML does not support or find."""
    answers = ((index, _unless_absent(ask, owner, index, *more)) for index in indexes)
    return {index: answer for index, answer in answers if answer is not None}


def _unless_absent(ask: Callable[..., Any], *arguments: Any) -> Any:
    absent = (pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_INVALID_ARGUMENT, pynvml.NVML_ERROR_NOT_FOUND)
    try:
        return ask(*arguments)
    except pynvml.NVMLError as error:
        if error.value in absent:
            return None
        raise
