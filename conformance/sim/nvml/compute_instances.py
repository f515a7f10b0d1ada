# ruff: noqa: N802 - the functions have the names of NVML
# ruff: noqa: N803 - and the arguments those of pynvml
"""Compute instances: profiles, creation and removal.

The index NVML_COMPUTE_INSTANCE_PROFILE_* and the driver's profile id are the same number.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pynvml

from conformance.sim.hardware import DriverError, ErrorCode, GpuInstance
from conformance.sim.hardware.compute import SIZES, capacity, free_slices, multiprocessors, offered
from conformance.sim.nvml import handles
from conformance.sim.nvml.base import NvmlBase, nvml_call
from conformance.spec.models import ProfileRow

PROFILE_OF_SLICES = {slices: profile for profile, slices in SIZES.items()}


class ComputeInstanceCalls(NvmlBase):
    """Functions on compute instances and their profiles."""

    @nvml_call
    def nvmlGpuInstanceGetComputeInstanceProfileInfo(
        self, device: Any, profile: int, engProfile: int, version: int = 2
    ) -> Any:
        """Return a compute profile of the GPU instance `device` (the argument has the name that pynvml uses).

        Raises:
            NVMLError: `NOT_SUPPORTED` for a profile that this instance does not offer, `INVALID_ARGUMENT` for an
                unknown index or engine profile, `FUNCTION_NOT_FOUND` for an unknown version.
        """
        gpu, instance = self.gpu_instance_of(device)
        known = 0 <= profile < pynvml.NVML_COMPUTE_INSTANCE_PROFILE_COUNT
        if not known or engProfile != pynvml.NVML_COMPUTE_INSTANCE_ENGINE_PROFILE_SHARED:
            raise DriverError(ErrorCode.INVALID_ARGUMENT)
        slices = offered(instance, profile)
        if slices is None:
            raise DriverError(ErrorCode.NOT_SUPPORTED)
        info = _profile_info(instance.row, slices, multiprocessors(gpu.model, instance, slices), version)
        return type(info).from_buffer_copy(info)

    def nvmlGpuInstanceGetComputeInstanceProfileInfoV(
        self, device: Any, profile: int, engProfile: int, version: int = 2
    ) -> Any:
        """The same."""
        return self.nvmlGpuInstanceGetComputeInstanceProfileInfo(device, profile, engProfile, version)

    @nvml_call
    def nvmlGpuInstanceGetComputeInstanceRemainingCapacity(self, gpuInstance: Any, profileId: int) -> int:
        """Return how many more compute instances of the profile fit."""
        instance = self.gpu_instance_of(gpuInstance)[1]
        return free_slices(instance) // _slices(instance, profileId)

    @nvml_call
    def nvmlGpuInstanceCreateComputeInstance(self, gpuInstance: Any, profileId: int) -> Any:
        """Create a compute instance; `INSUFFICIENT_RESOURCES` if too few slices are free."""
        self.require_privilege()
        gpu, instance = self.gpu_instance_of(gpuInstance)
        created = gpu.create_compute_instance(instance, profileId)
        return handles.pack(handles.Kind.COMPUTE_INSTANCE, gpu, instance, created)

    @nvml_call
    def nvmlComputeInstanceDestroy(self, computeInstance: Any) -> int:
        """Remove a compute instance; `IN_USE` while a process uses it."""
        self.require_privilege()
        gpu, instance, compute = self.compute_instance_of(computeInstance)
        gpu.destroy_compute_instance(instance, compute.id)
        return int(pynvml.NVML_SUCCESS)

    @nvml_call
    def nvmlGpuInstanceGetComputeInstances(
        self, gpuInstance: Any, profileId: int, computeInstancesRef: Any, countRef: Any
    ) -> int:
        """Write the compute instances of one profile, by id, into an array of `c_nvmlComputeInstance_t`."""
        self.require_privilege()
        gpu, instance = self.gpu_instance_of(gpuInstance)
        slices = _slices(instance, profileId)
        found = [
            handles.pack(handles.Kind.COMPUTE_INSTANCE, gpu, instance, compute)
            for compute in instance.compute_instances
            if compute.slices == slices
        ]
        handles.fill(computeInstancesRef, countRef, found)
        return int(pynvml.NVML_SUCCESS)

    @nvml_call
    def nvmlGpuInstanceGetComputeInstanceById(self, gpuInstance: Any, computeInstanceId: int) -> Any:
        """Return the handle of the compute instance with this id; `NOT_FOUND` if there is none."""
        self.require_privilege()
        gpu, instance = self.gpu_instance_of(gpuInstance)
        for compute in instance.compute_instances:
            if compute.id == computeInstanceId:
                return handles.pack(handles.Kind.COMPUTE_INSTANCE, gpu, instance, compute)
        raise DriverError(ErrorCode.NOT_FOUND)

    @nvml_call
    def nvmlComputeInstanceGetInfo_v2(self, computeInstance: Any) -> Any:
        """Return device, GPU instance, id, profile id and placement of a compute instance."""
        gpu, instance, compute = self.compute_instance_of(computeInstance)
        earlier = sum(each.slices for each in instance.compute_instances if each.id < compute.id)
        return pynvml.c_nvmlComputeInstanceInfo_t(
            device=handles.pack(handles.Kind.GPU, gpu),
            gpuInstance=handles.pack(handles.Kind.GPU_INSTANCE, gpu, instance),
            id=compute.id,
            profileId=PROFILE_OF_SLICES[compute.slices],
            placement=pynvml.c_nvmlComputeInstancePlacement_t(start=earlier, size=compute.slices),
        )

    def nvmlComputeInstanceGetInfo(self, computeInstance: Any) -> Any:
        """The same."""
        return self.nvmlComputeInstanceGetInfo_v2(computeInstance)


def _slices(instance: GpuInstance, profile_id: int) -> int:
    slices = offered(instance, profile_id)
    if slices is None:
        raise DriverError(ErrorCode.INVALID_ARGUMENT)
    return slices


@cache
def _profile_info(row: ProfileRow, slices: int, sms: int, version: int) -> Any:
    """Return the NVML structure of a profile, cached; callers get copies."""
    if version not in {1, 2}:
        raise pynvml.NVMLError(pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)
    info = (
        pynvml.c_nvmlComputeInstanceProfileInfo_t() if version == 1 else pynvml.c_nvmlComputeInstanceProfileInfo_v2_t()
    )
    engines = row.engines
    info.id, info.sliceCount = PROFILE_OF_SLICES[slices], slices
    info.instanceCount = capacity(row, slices)
    info.multiprocessorCount = sms
    info.sharedCopyEngineCount, info.sharedDecoderCount = engines.copy, engines.decoder
    info.sharedEncoderCount, info.sharedJpegCount, info.sharedOfaCount = engines.encoder, engines.jpeg, engines.ofa
    if version == 2:
        part = "" if slices == row.slices else f"{slices}c."
        info.name = f"MIG {part}{row.name}".encode()
    return info
