# ruff: noqa: N802 - the functions have the names of NVML
"""GPUs: enumeration and properties. Functions accept MIG devices where the real ones do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pynvml

from conformance.sim.hardware import DriverError, ErrorCode, Gpu
from conformance.sim.nvml import handles
from conformance.sim.nvml.base import NvmlBase, nvml_call

MIB = 1024 * 1024
ARCHITECTURES = {
    "ampere": pynvml.NVML_DEVICE_ARCH_AMPERE,
    "hopper": pynvml.NVML_DEVICE_ARCH_HOPPER,
    "blackwell": pynvml.NVML_DEVICE_ARCH_BLACKWELL,
}


class DeviceCalls(NvmlBase):
    """Functions on GPU handles."""

    @nvml_call
    def nvmlDeviceGetCount(self) -> int:
        """Number of GPUs that the process can open."""
        return len(self.gpus())

    def nvmlDeviceGetCount_v2(self) -> int:
        """The same."""
        return self.nvmlDeviceGetCount()

    @nvml_call
    def nvmlDeviceGetHandleByIndex(self, index: int) -> Any:
        """Handle of a GPU by its index; `INVALID_ARGUMENT` if out of range."""
        gpus = self.gpus()
        if not 0 <= index < len(gpus):
            raise DriverError(ErrorCode.INVALID_ARGUMENT)
        return handles.pack(handles.Kind.GPU, gpus[index])

    def nvmlDeviceGetHandleByIndex_v2(self, index: int) -> Any:
        """The same."""
        return self.nvmlDeviceGetHandleByIndex(index)

    @nvml_call
    def nvmlDeviceGetHandleByUUID(self, uuid: str | bytes) -> Any:
        """Handle of a GPU or MIG device by its UUID; `NOT_FOUND` if there is none."""
        text = uuid.decode() if isinstance(uuid, bytes) else uuid
        for gpu in self.gpus():
            if gpu.uuid == text:
                return handles.pack(handles.Kind.GPU, gpu)
            for instance, compute in self.mig_devices(gpu):
                if compute.uuid == text:
                    return handles.pack(handles.Kind.MIG_DEVICE, gpu, instance, compute)
        raise DriverError(ErrorCode.NOT_FOUND)

    @nvml_call
    def nvmlDeviceGetHandleByPciBusId(self, pciBusId: str | bytes) -> Any:  # noqa: N803 - named so in pynvml
        """Handle of a GPU by its PCI bus id, with a domain of four or eight digits; `NOT_FOUND` if there is none."""
        text = pciBusId.decode() if isinstance(pciBusId, bytes) else pciBusId
        wanted = text.upper().rjust(len("00000000:00:00.0"), "0")
        return handles.pack(handles.Kind.GPU, self._first(lambda gpu: gpu.pci_bus_id == wanted))

    def nvmlDeviceGetHandleByPciBusId_v2(self, pciBusId: str | bytes) -> Any:  # noqa: N803 - named so in pynvml
        """The same."""
        return self.nvmlDeviceGetHandleByPciBusId(pciBusId)

    @nvml_call
    def nvmlDeviceGetIndex(self, handle: Any) -> int:
        """Index of the GPU among those that the process can open."""
        return self.gpus().index(self.gpu_of(handle))

    @nvml_call
    def nvmlDeviceGetName(self, handle: Any) -> str:
        """Product name; for a MIG device with its profile, `NVIDIA H100 80GB HBM3 MIG 1g.10gb`."""
        if handles.unpack(handle, handles.Kind.GPU, handles.Kind.MIG_DEVICE).kind is handles.Kind.GPU:
            return self.gpu_of(handle).board.name
        gpu, instance, compute = self.mig_device_of(handle)
        part = "" if compute.slices == instance.row.slices else f"{compute.slices}c."
        return f"{gpu.board.name} MIG {part}{instance.row.name}"

    @nvml_call
    def nvmlDeviceGetMinorNumber(self, handle: Any) -> int:
        """Number of the device file."""
        return self.gpu_of(handle).minor

    @nvml_call
    def nvmlDeviceGetPciInfo(self, handle: Any) -> Any:
        """PCI address and ids of the GPU."""
        gpu = self.parent_of(handle)
        domain, bus, _ = gpu.pci_bus_id.split(":")
        info = pynvml.nvmlPciInfo_t()
        info.domain, info.bus, info.device = int(domain, 16), int(bus, 16), 0
        info.busId = gpu.pci_bus_id.encode()
        info.busIdLegacy = gpu.pci_bus_id[4:].encode()
        info.pciDeviceId = gpu.board.device_id
        info.pciSubSystemId = gpu.model.subsystem_id or 0
        return info

    def nvmlDeviceGetPciInfo_v3(self, handle: Any) -> Any:
        """The same."""
        return self.nvmlDeviceGetPciInfo(handle)

    @nvml_call
    def nvmlDeviceGetMemoryInfo(self, handle: Any, version: int | None = None) -> Any:
        """Framebuffer in bytes, all of it free; `version` is None or `nvmlMemory_v2`.

        `NO_PERMISSION` for the GPU in a container that sees only MIG devices of it.
        """
        if handles.unpack(handle, handles.Kind.GPU, handles.Kind.MIG_DEVICE).kind is handles.Kind.GPU:
            gpu = self.gpu_of(handle)
            if not self.may_use(gpu):
                raise DriverError(ErrorCode.NO_PERMISSION)
            mebibytes = gpu.model.memory_total_mib
        else:
            mebibytes = self.mig_device_of(handle)[1].row.memory_mib
        memory = pynvml.c_nvmlMemory_v2_t() if version else pynvml.c_nvmlMemory_t()
        if version:
            memory.version = version
        memory.total = memory.free = mebibytes * MIB
        return memory

    @nvml_call
    def nvmlDeviceGetCudaComputeCapability(self, handle: Any) -> tuple[int, int]:
        """CUDA compute capability, major and minor."""
        return self.parent_of(handle).model.compute_capability

    @nvml_call
    def nvmlDeviceGetArchitecture(self, handle: Any) -> int:
        """NVML_DEVICE_ARCH_* of the GPU."""
        return int(ARCHITECTURES.get(self.parent_of(handle).model.family, pynvml.NVML_DEVICE_ARCH_UNKNOWN))

    @nvml_call
    def nvmlDeviceGetNumaNodeId(self, handle: Any) -> int:
        """NUMA node of the GPU."""
        return self.gpu_of(handle).numa_node

    @nvml_call
    def nvmlDeviceGetPersistenceMode(self, handle: Any) -> int:
        """1: persistence mode is on."""
        self.gpu_of(handle)
        return int(pynvml.NVML_FEATURE_ENABLED)

    @nvml_call
    def nvmlDeviceGetDisplayActive(self, handle: Any) -> int:
        """0: no display is active."""
        self.gpu_of(handle)
        return int(pynvml.NVML_FEATURE_DISABLED)

    @nvml_call
    def nvmlDeviceGetDisplayMode(self, handle: Any) -> int:
        """1, as on a real H100 without a display."""
        self.gpu_of(handle)
        return int(pynvml.NVML_FEATURE_ENABLED)

    @nvml_call
    def nvmlDeviceGetAddressingMode(self, handle: Any) -> int:
        """0: the GPU has no addressing mode shared with the host."""
        self.gpu_of(handle)
        return 0

    @nvml_call
    def nvmlDeviceGetComputeMode(self, handle: Any) -> int:
        """0: several processes may use the GPU."""
        self.gpu_of(handle)
        return int(pynvml.NVML_COMPUTEMODE_DEFAULT)

    @nvml_call
    def nvmlDeviceGetComputeRunningProcesses(self, handle: Any) -> list[Any]:
        """Processes on the GPU or MIG device; with instance ids if they use MIG."""
        at = handles.unpack(handle, handles.Kind.GPU, handles.Kind.MIG_DEVICE)
        processes = []
        for client in self.parent_of(handle).clients:
            if at.kind is handles.Kind.MIG_DEVICE and client.gi_id not in {None, at.gpu_instance}:
                continue
            process = pynvml.nvmlFriendlyObject({"pid": client.pid, "usedGpuMemory": 0})
            none = 0xFFFFFFFF
            process.gpuInstanceId = none if client.gi_id is None else client.gi_id
            process.computeInstanceId = none if client.ci_id is None else client.ci_id
            processes.append(process)
        return processes

    def _first(self, wanted: Callable[[Gpu], bool]) -> Gpu:
        for gpu in self.gpus():
            if wanted(gpu):
                return gpu
        raise DriverError(ErrorCode.NOT_FOUND)
