"""Shared parts of all NVML calls: initialisation, visibility of devices, errors."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable
from typing import Any, Concatenate, ParamSpec, TypeVar

import pynvml

from conformance.sim.hardware import ComputeInstance, DriverError, ErrorCode, Gpu, GpuInstance, NodeHardware
from conformance.sim.nvml import handles

P = ParamSpec("P")
T = TypeVar("T")
S = TypeVar("S", bound="NvmlBase")


def nvml_call(function: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """Decorate an NVML function: it needs an initialised library and raises the errors of `pynvml`."""

    @functools.wraps(function)
    def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        if not self.initialised:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_UNINITIALIZED)
        try:
            return function(self, *args, **kwargs)
        except DriverError as refused:
            raise pynvml.NVMLError(int(refused.code)) from refused

    return call


class NvmlBase:
    """The library as one process sees it.

    Attributes:
        hardware: The node's GPUs.
        visible: UUIDs of the GPUs and MIG devices that the process may use. None for all of them, with permission to
            configure and monitor MIG, as for privileged operands.
        initialised: Whether the library is initialised: after `nvmlInit` and before `nvmlShutdown`.
    """

    def __init__(self, hardware: NodeHardware, visible: frozenset[str] | None = None) -> None:
        self.hardware = hardware
        self.visible = visible
        self.initialised = False

    def gpus(self) -> list[Gpu]:
        """Return the GPUs that this process can open, by index: those it may use and the parents of its MIG devices."""
        if self.visible is None:
            return self.hardware.gpus
        return [gpu for gpu in self.hardware.gpus if self.may_use(gpu) or self.mig_devices(gpu)]

    def may_use(self, gpu: Gpu) -> bool:
        """Return whether this process may use the GPU itself and not only its MIG devices."""
        return self.visible is None or gpu.uuid in self.visible

    def mig_devices(self, gpu: Gpu) -> list[tuple[GpuInstance, ComputeInstance]]:
        """Return the MIG devices of `gpu` that this process may use, by index."""
        return [
            (instance, compute)
            for instance in gpu.instances
            for compute in instance.compute_instances
            if self.visible is None or compute.uuid in self.visible
        ]

    def state(self, index: int) -> Hashable:
        """Return the variable state of one GPU, without its clients; equal states mean equal results of all reads."""
        gpu = self.gpus()[index]
        instances = tuple((each.id, each.row.name, tuple(each.compute_instances)) for each in gpu.instances)
        return self.visible, self.hardware.profiles_need_mig, gpu.index, gpu.mig_capable, gpu.mode_current, instances

    def gpu_of(self, handle: Any) -> Gpu:
        """Return the GPU of a GPU handle; the handle of a MIG device raises `INVALID_ARGUMENT`."""
        return self._gpu_at(handles.unpack(handle, handles.Kind.GPU).gpu)

    def parent_of(self, handle: Any) -> Gpu:
        """Return the GPU of a GPU handle or MIG device handle."""
        return self._gpu_at(handles.unpack(handle, handles.Kind.GPU, handles.Kind.MIG_DEVICE).gpu)

    def mig_device_of(self, handle: Any) -> tuple[Gpu, GpuInstance, ComputeInstance]:
        """Return GPU, GPU instance and compute instance of a MIG device handle."""
        return self._compute(handle, handles.Kind.MIG_DEVICE)

    def gpu_instance_of(self, handle: Any) -> tuple[Gpu, GpuInstance]:
        """Return GPU and GPU instance of a GPU instance handle."""
        at = handles.unpack(handle, handles.Kind.GPU_INSTANCE)
        gpu = self._gpu_at(at.gpu)
        return gpu, gpu.instance(at.gpu_instance)

    def compute_instance_of(self, handle: Any) -> tuple[Gpu, GpuInstance, ComputeInstance]:
        """Return GPU, GPU instance and compute instance of a compute instance handle."""
        return self._compute(handle, handles.Kind.COMPUTE_INSTANCE)

    def require_privilege(self) -> None:
        """Raise `NO_PERMISSION` unless the process has access to the whole node."""
        if self.visible is not None:
            raise DriverError(ErrorCode.NO_PERMISSION)

    def _compute(self, handle: Any, kind: handles.Kind) -> tuple[Gpu, GpuInstance, ComputeInstance]:
        at = handles.unpack(handle, kind)
        gpu = self._gpu_at(at.gpu)
        instance = gpu.instance(at.gpu_instance)
        for compute in instance.compute_instances:
            if compute.id == at.compute_instance:
                return gpu, instance, compute
        raise DriverError(ErrorCode.NOT_FOUND)

    def _gpu_at(self, index: int) -> Gpu:
        return self.hardware.gpus[index]
