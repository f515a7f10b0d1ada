"""The GPUs of the node as mig-parted sees them through NVML.

Source: NVIDIA/mig-parted v0.15.0, pkg/mig/mode/nvml.go, pkg/mig/config/config.go, cmd/nvidia-mig-parted/util.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ctypes import byref, c_uint
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import pynvml

from conformance.sim.mig_parted.output import MigPartedError
from conformance.spec.profile import Profile

_ERROR_NAMES: Mapping[int, str] = {
    value: name.removeprefix("NVML_")
    for name, value in vars(pynvml).items()
    if name.startswith("NVML_ERROR_") and isinstance(value, int)
}

UNKNOWN_PROFILE = (pynvml.NVMLError_NotSupported, pynvml.NVMLError_InvalidArgument)
"""Errors of NVML for a profile that the GPU does not have, and for one that the driver does not know."""


def error_name(error: pynvml.NVMLError) -> str:
    """Return an NVML error as go-nvml prints it once the library is closed: `ERROR_IN_USE`."""
    return _ERROR_NAMES.get(error.value, f"unknown return value: {error.value}")


if TYPE_CHECKING:
    from conformance.sim.nvml import Nvml


@dataclass(frozen=True)
class Offer:
    """A GPU instance profile that a GPU offers.

    Attributes:
        index: NVML's number of the profile (NVML_GPU_INSTANCE_PROFILE_*), which mig-parted names in its errors.
        id: The driver's id of the profile, which creates instances.
        profile: The MIG device whose compute instance fills the GPU instance.
        max_instances: Number of instances that fit on an empty GPU.
    """

    index: int
    id: int
    profile: Profile
    max_instances: int


@dataclass(frozen=True)
class Instance:
    """A GPU instance with its compute instances, each as (NVML profile, engine profile, slices, handle)."""

    offer: Offer
    handle: Any
    compute: tuple[tuple[int, int, int, Any], ...]


class MigGpu:
    """One GPU.

    Attributes:
        index: Position in NVML's order.
        device_id: PCI device ID in the upper and vendor ID in the lower 16 bits, like 0x233010DE.
        subsystem_id: The same of the PCI subsystem.
    """

    def __init__(self, nvml: Nvml, index: int) -> None:
        self.nvml = nvml
        self.index = index
        self.handle = nvml.nvmlDeviceGetHandleByIndex(index)
        pci = nvml.nvmlDeviceGetPciInfo(self.handle)
        self.device_id: int = pci.pciDeviceId
        self.subsystem_id: int = pci.pciSubSystemId

    @property
    def capable(self) -> bool:
        """Whether the GPU is MIG capable."""
        return self._mode() is not None

    @property
    def enabled(self) -> bool:
        """Whether MIG mode is currently enabled, regardless of a pending change."""
        mode = self._mode()
        return mode is not None and mode[0]

    @property
    def pending(self) -> bool:
        """Whether a mode change is pending until a reset or a reboot."""
        mode = self._mode()
        return mode is not None and mode[0] != mode[1]

    @cached_property
    def offers(self) -> list[Offer]:
        """GPU instance profiles in NVML's order, read once; empty with MIG off if an old driver does not list them."""
        found = []
        for index in range(pynvml.NVML_GPU_INSTANCE_PROFILE_COUNT):
            try:
                info = self.nvml.nvmlDeviceGetGpuInstanceProfileInfo(self.handle, index)
            except UNKNOWN_PROFILE:
                continue
            profile = Profile.parse(info.name.removeprefix("MIG "))
            found.append(Offer(index, info.id, profile, info.instanceCount))
        return found

    def instances(self) -> Iterator[Instance]:
        """Yield GPU instances by NVML profile, then id; reads each one only when it is needed."""
        for offer in self.offers:
            for handle in self._gpu_instances(offer):
                yield Instance(offer, handle, tuple(self._compute_instances(handle)))

    def geometry(self) -> Counter[str]:
        """Canonical profile name to the number of MIG devices on the GPU.

        Raises:
            MigPartedError: MIG mode is off.
        """
        if not self.enabled:
            raise MigPartedError("error asserting MIG enabled: MIG mode is disabled")
        return Counter(
            str(replace(instance.offer.profile, compute_slices=slices))
            for instance in self.instances()
            for _, _, slices, _ in instance.compute
        )

    def clear(self) -> None:
        """Destroy all instances, one after the other.

        Raises:
            MigPartedError: An instance is in use; instances before it are gone, those after it remain.
        """
        for instance in self.instances():
            try:
                self._destroy(instance)
            except MigPartedError as error:
                raise MigPartedError(f"error walking gpu instances for '{self.index}': {error}") from None

    def _mode(self) -> tuple[bool, bool] | None:
        """Return the current and the pending mode; None for a GPU without MIG."""
        try:
            current, pending = self.nvml.nvmlDeviceGetMigMode(self.handle)
        except pynvml.NVMLError_NotSupported:
            return None
        return bool(current), bool(pending)

    def _destroy(self, instance: Instance) -> None:
        number = instance.offer.index
        for profile, engine, _, handle in instance.compute:
            try:
                self.nvml.nvmlComputeInstanceDestroy(handle)
            except pynvml.NVMLError as error:
                raise MigPartedError(
                    f"error walking compute instances for '{number}': error destroying Compute instance for profile "
                    f"'({profile}, {engine})': {error_name(error)}"
                ) from None
        try:
            self.nvml.nvmlGpuInstanceDestroy(instance.handle)
        except pynvml.NVMLError as error:
            raise MigPartedError(f"error destroying GPU instance for profile '{number}': {error_name(error)}") from None

    def _gpu_instances(self, offer: Offer) -> list[Any]:
        handles = (pynvml.c_nvmlGpuInstance_t * offer.max_instances)()
        count = c_uint()
        self.nvml.nvmlDeviceGetGpuInstances(self.handle, offer.id, handles, byref(count))
        return list(handles[: count.value])

    def _compute_instances(self, gpu_instance: Any) -> Iterator[tuple[int, int, int, Any]]:
        for profile in range(pynvml.NVML_COMPUTE_INSTANCE_PROFILE_COUNT):
            for engine in range(pynvml.NVML_COMPUTE_INSTANCE_ENGINE_PROFILE_COUNT):
                try:
                    info = self.nvml.nvmlGpuInstanceGetComputeInstanceProfileInfo(gpu_instance, profile, engine)
                except UNKNOWN_PROFILE:
                    continue
                handles = (pynvml.c_nvmlComputeInstance_t * info.instanceCount)()
                count = c_uint()
                self.nvml.nvmlGpuInstanceGetComputeInstances(gpu_instance, info.id, handles, byref(count))
                for handle in handles[: count.value]:
                    yield profile, engine, info.sliceCount, handle


@contextmanager
def gpus_of_node(nvml: Nvml) -> Iterator[list[MigGpu]]:
    """Yield the GPUs in NVML's order, with NVML initialised.

    Raises:
        MigPartedError: NVML cannot be initialised, for example because the driver is not loaded, or a call fails.
    """
    try:
        nvml.nvmlInit()
    except pynvml.NVMLError as error:
        raise MigPartedError(f"error initializing NVML: {error}") from None
    try:
        yield [MigGpu(nvml, index) for index in range(nvml.nvmlDeviceGetCount())]
    except pynvml.NVMLError as error:
        raise MigPartedError(error_name(error)) from error
    finally:
        nvml.nvmlShutdown()
