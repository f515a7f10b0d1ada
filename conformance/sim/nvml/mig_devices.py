# ruff: noqa: N802 - the functions have the names of NVML
# ruff: noqa: N803 - and the arguments those of pynvml
"""MIG mode, and MIG devices, which are the compute instances as programs see them."""

from __future__ import annotations

import ctypes
from typing import Any

import pynvml

from conformance.sim.hardware import DriverError, ErrorCode
from conformance.sim.hardware.compute import multiprocessors
from conformance.sim.nvml import handles
from conformance.sim.nvml.base import NvmlBase, nvml_call


class MigDeviceCalls(NvmlBase):
    """Functions on the MIG mode and on MIG device handles."""

    @nvml_call
    def nvmlDeviceGetMigMode(self, device: Any) -> list[int]:
        """Return current and pending mode, 1 for on; `NOT_SUPPORTED` on a GPU without MIG."""
        gpu = self.gpu_of(device)
        if not gpu.mig_capable:
            raise DriverError(ErrorCode.NOT_SUPPORTED)
        return [int(gpu.mode_current), int(gpu.mode_pending)]

    @nvml_call
    def nvmlDeviceSetMigMode(self, device: Any, mode: int) -> int:
        """Set the mode; the call succeeds even if the change stays pending.

        Returns:
            Activation status: NVML_SUCCESS, `IN_USE` if the GPU is in use, else `RESET_REQUIRED`.
        """
        self.require_privilege()
        gpu = self.gpu_of(device)
        if mode not in {pynvml.NVML_DEVICE_MIG_DISABLE, pynvml.NVML_DEVICE_MIG_ENABLE}:
            raise DriverError(ErrorCode.INVALID_ARGUMENT)
        if self.hardware.set_mode(gpu, bool(mode)):
            return int(pynvml.NVML_SUCCESS)
        return int(pynvml.NVML_ERROR_IN_USE if gpu.clients or gpu.created else pynvml.NVML_ERROR_RESET_REQUIRED)

    @nvml_call
    def nvmlDeviceGetMaxMigDeviceCount(self, device: Any) -> int:
        """Return the maximum number of MIG devices; 0 while MIG is off (as on a real H100) or not supported."""
        gpu = self.gpu_of(device)
        return gpu.model.max_mig_devices if gpu.mode_current and gpu.mig_capable else 0

    @nvml_call
    def nvmlDeviceGetMigDeviceHandleByIndex(self, device: Any, index: int) -> Any:
        """Return the handle of a MIG device by its index on the GPU; `NOT_FOUND` if out of range."""
        gpu = self.gpu_of(device)
        devices = self.mig_devices(gpu)
        if not 0 <= index < len(devices):
            raise DriverError(ErrorCode.NOT_FOUND)
        return handles.pack(handles.Kind.MIG_DEVICE, gpu, *devices[index])

    @nvml_call
    def nvmlDeviceGetDeviceHandleFromMigDeviceHandle(self, migDevice: Any) -> Any:
        """Return the handle of the GPU of a MIG device."""
        return handles.pack(handles.Kind.GPU, self.mig_device_of(migDevice)[0])

    @nvml_call
    def nvmlDeviceIsMigDeviceHandle(self, device: Any) -> Any:
        """Return whether it is the handle of a MIG device, as a `c_uint` like pynvml."""
        kind = handles.unpack(device, handles.Kind.GPU, handles.Kind.MIG_DEVICE).kind
        return ctypes.c_uint(kind is handles.Kind.MIG_DEVICE)

    @nvml_call
    def nvmlDeviceGetUUID(self, handle: Any) -> str:
        """UUID of a GPU, `GPU-...`, or of a MIG device, `MIG-...`."""
        if handles.unpack(handle, handles.Kind.GPU, handles.Kind.MIG_DEVICE).kind is handles.Kind.GPU:
            return self.gpu_of(handle).uuid
        gpu, _, compute = self.mig_device_of(handle)
        uuids = [each.uuid for _, each in self.mig_devices(gpu)]
        if self.hardware.faults.on("nvml-doubled-uuid") and compute.uuid in uuids[1:2]:
            return uuids[0]
        return compute.uuid

    @nvml_call
    def nvmlDeviceGetGpuInstanceId(self, device: Any) -> int:
        """Id of the GPU instance of a MIG device."""
        return self.mig_device_of(device)[1].id

    @nvml_call
    def nvmlDeviceGetComputeInstanceId(self, device: Any) -> int:
        """Id of the compute instance of a MIG device inside its GPU instance."""
        return self.mig_device_of(device)[2].id

    @nvml_call
    def nvmlDeviceGetAttributes_v2(self, device: Any) -> Any:
        """Return the attributes of a MIG device; memory in MiB. `NOT_SUPPORTED` for a whole GPU."""
        if not self.nvmlDeviceIsMigDeviceHandle(device):
            raise DriverError(ErrorCode.NOT_SUPPORTED)
        gpu, instance, compute = self.mig_device_of(device)
        engines = instance.row.engines
        missing = int(self.hardware.faults.on("nvml-wrong-multiprocessors"))
        return pynvml.c_nvmlDeviceAttributes(
            multiprocessorCount=multiprocessors(gpu.model, instance, compute.slices) - missing,
            sharedCopyEngineCount=engines.copy,
            sharedDecoderCount=engines.decoder,
            sharedEncoderCount=engines.encoder,
            sharedJpegCount=engines.jpeg,
            sharedOfaCount=engines.ofa,
            gpuInstanceSliceCount=instance.row.slices,
            computeInstanceSliceCount=compute.slices,
            memorySizeMB=instance.row.memory_mib,
        )

    def nvmlDeviceGetAttributes(self, device: Any) -> Any:
        """The same."""
        return self.nvmlDeviceGetAttributes_v2(device)
