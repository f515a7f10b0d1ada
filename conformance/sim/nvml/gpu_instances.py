# ruff: noqa: N802 - the functions have the names of NVML
# ruff: noqa: N803 - and the arguments those of pynvml
"""GPU instances: profiles, creation and removal.

`profile` is an index NVML_GPU_INSTANCE_PROFILE_*; `profileId` is the driver's id (19, 14 ...) from the profile info.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pynvml

from conformance.sim.hardware import DriverError, ErrorCode, Gpu
from conformance.sim.nvml import handles
from conformance.sim.nvml.base import NvmlBase, nvml_call
from conformance.spec.models import ProfileRow

UNKNOWN_FROM = pynvml.NVML_GPU_INSTANCE_PROFILE_3_SLICE_GFX
"""First profile index that driver 580 does not know on a data-centre GPU; observed on a real H100."""


class GpuInstanceCalls(NvmlBase):
    """Functions on GPU instances and their profiles."""

    @nvml_call
    def nvmlDeviceGetGpuInstanceProfileInfo(self, device: Any, profile: int, version: int = 2) -> Any:
        """Return a profile; memory in MiB.

        Raises:
            NVMLError: `NOT_SUPPORTED` for a profile that this GPU does not have, `INVALID_ARGUMENT` for an index that
                the driver does not know, `FUNCTION_NOT_FOUND` for a version that pynvml does not know.
        """
        gpu = self._with_profiles(device)
        for row in gpu.model.profiles:
            if row.nvml_profile == profile:
                return profile_info(row, version)
        known = 0 <= profile < UNKNOWN_FROM
        raise DriverError(ErrorCode.NOT_SUPPORTED if known else ErrorCode.INVALID_ARGUMENT)

    def nvmlDeviceGetGpuInstanceProfileInfoV(self, device: Any, profile: int, version: int = 2) -> Any:
        """The same."""
        return self.nvmlDeviceGetGpuInstanceProfileInfo(device, profile, version)

    @nvml_call
    def nvmlDeviceGetGpuInstanceRemainingCapacity(self, device: Any, profileId: int) -> int:
        """Return how many more instances of the profile fit beside the existing ones."""
        gpu = self._with_profiles(device)
        return gpu.remaining(row_by_id(gpu, profileId))

    @nvml_call
    def nvmlDeviceGetGpuInstancePossiblePlacements(
        self, device: Any, profileId: int, placementsRef: Any, countRef: Any
    ) -> int:
        """Write all placements of the profile, free or not, into an array of `c_nvmlGpuInstancePlacement_t`."""
        row = row_by_id(self._with_profiles(device), profileId)
        size = row.placements.size
        found = [pynvml.c_nvmlGpuInstancePlacement_t(start=start, size=size) for start in row.placements.starts]
        handles.fill(placementsRef, countRef, found)
        return int(pynvml.NVML_SUCCESS)

    @nvml_call
    def nvmlDeviceCreateGpuInstance(self, device: Any, profileId: int) -> Any:
        """Create an instance at a start that the driver chooses; `INSUFFICIENT_RESOURCES` if it does not fit."""
        self.require_privilege()
        gpu = self.gpu_of(device)
        return handles.pack(handles.Kind.GPU_INSTANCE, gpu, gpu.create_instance(row_by_id(gpu, profileId)))

    @nvml_call
    def nvmlDeviceCreateGpuInstanceWithPlacement(self, device: Any, profileId: int, placement: Any) -> Any:
        """Create an instance at the start of `placement`, a structure or a reference (`byref`) to one."""
        self.require_privilege()
        gpu = self.gpu_of(device)
        start = int(getattr(placement, "_obj", placement).start)
        return handles.pack(handles.Kind.GPU_INSTANCE, gpu, gpu.create_instance(row_by_id(gpu, profileId), start))

    @nvml_call
    def nvmlGpuInstanceDestroy(self, gpuInstance: Any) -> int:
        """Remove an instance; `IN_USE` while it has compute instances or a process uses it."""
        self.require_privilege()
        gpu, instance = self.gpu_instance_of(gpuInstance)
        gpu.destroy_instance(instance)
        return int(pynvml.NVML_SUCCESS)

    @nvml_call
    def nvmlDeviceGetGpuInstances(self, device: Any, profileId: int, gpuInstancesRef: Any, countRef: Any) -> int:
        """Write the instances of one profile, by id, into an array of `c_nvmlGpuInstance_t`; none while MIG is off."""
        self.require_privilege()
        gpu = self._with_profiles(device)
        row = row_by_id(gpu, profileId)
        found = [handles.pack(handles.Kind.GPU_INSTANCE, gpu, each) for each in gpu.instances if each.row is row]
        handles.fill(gpuInstancesRef, countRef, found)
        return int(pynvml.NVML_SUCCESS)

    @nvml_call
    def nvmlDeviceGetGpuInstanceById(self, device: Any, gpuInstanceId: int) -> Any:
        """Return the handle of the instance with this id; `NOT_FOUND` if there is none."""
        self.require_privilege()
        gpu = self.gpu_of(device)
        return handles.pack(handles.Kind.GPU_INSTANCE, gpu, gpu.instance(gpuInstanceId))

    @nvml_call
    def nvmlGpuInstanceGetInfo(self, gpuInstance: Any) -> Any:
        """Return device, id, profile id and placement of an instance."""
        gpu, instance = self.gpu_instance_of(gpuInstance)
        shifted = self.hardware.faults.on("nvml-wrong-placement") and instance.row.slices >= 2
        return pynvml.c_nvmlGpuInstanceInfo_t(
            device=handles.pack(handles.Kind.GPU, gpu),
            id=instance.id,
            profileId=instance.row.gi_profile_id,
            placement=pynvml.c_nvmlGpuInstancePlacement_t(start=instance.start + shifted, size=instance.size),
        )

    def _with_profiles(self, device: Any) -> Gpu:
        gpu = self.gpu_of(device)
        if not gpu.mig_capable or (self.hardware.profiles_need_mig and not gpu.mode_current):
            raise DriverError(ErrorCode.NOT_SUPPORTED)
        return gpu


def row_by_id(gpu: Gpu, profile_id: int) -> ProfileRow:
    """Return the profile with this driver id.

    Raises:
        DriverError: `INVALID_ARGUMENT`: the id is unknown, for example because it is an NVML index.
    """
    for row in gpu.model.profiles:
        if row.gi_profile_id == profile_id:
            return row
    raise DriverError(ErrorCode.INVALID_ARGUMENT)


def profile_info(row: ProfileRow, version: int) -> Any:
    """Return a new NVML structure for a profile; version 1 has no name."""
    info = _profile_info(row, version)
    return type(info).from_buffer_copy(info)


@cache
def _profile_info(row: ProfileRow, version: int) -> Any:
    """Return the same, cached."""
    if version not in {1, 2}:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)
    info = pynvml.c_nvmlGpuInstanceProfileInfo_t() if version == 1 else pynvml.c_nvmlGpuInstanceProfileInfo_v2_t()
    info.id, info.isP2pSupported = row.gi_profile_id, 0
    info.sliceCount, info.instanceCount = row.slices, row.max_instances
    info.multiprocessorCount, info.memorySizeMB = row.multiprocessors, row.memory_mib
    info.copyEngineCount, info.decoderCount = row.engines.copy, row.engines.decoder
    info.encoderCount, info.jpegCount, info.ofaCount = row.engines.encoder, row.engines.jpeg, row.engines.ofa
    if version == 2:
        info.name = f"MIG {row.name}".encode()
    return info
