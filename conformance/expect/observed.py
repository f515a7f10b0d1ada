"""GPUs as the suite finds them: through NVML with the probe, or in the output of `nvidia-smi -L`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from conformance.spec.models import Engines
from conformance.spec.profile import Profile


@dataclass(frozen=True)
class Driver:
    """Versions of driver and CUDA on a node.

    Attributes:
        version: Version of the driver, such as `580.159.04`.
        cuda: Newest CUDA version that the driver supports, major and minor: (13, 0).
    """

    version: str
    cuda: tuple[int, int]


@dataclass(frozen=True)
class ObservedProfile:
    """A GPU-instance profile as the driver reports it. MIG devices that this driver creates must match it.

    Attributes:
        max_instances: Number of instances that fit on an empty GPU.
        memory_mib: Framebuffer of one instance in MiB; None if unknown.
        multiprocessors: Multiprocessors of one instance; None if unknown.
        engines: Engines of one instance; None if unknown.
        placements: Start and size of every legal placement; None if unknown.
    """

    max_instances: int
    memory_mib: int | None = None
    multiprocessors: int | None = None
    engines: Engines | None = None
    placements: frozenset[tuple[int, int]] | None = None


@dataclass(frozen=True)
class ObservedInstance:
    """One MIG device as NVML reports it.

    Figures are None if the process that read them has no access, as in a container without the whole GPU.

    Attributes:
        profile: Profile of the MIG device.
        gpu_instance: Id of the GPU instance.
        compute_instance: Id of the compute instance within the GPU instance.
        uuid: UUID of the MIG device, `MIG-...`.
        gpu_slices: Compute slices of the GPU instance.
        compute_slices: Compute slices of the compute instance.
        start: Start of the GPU instance on the memory axis of its GPU; None if unknown.
        size: Size of the GPU instance on that axis; None if unknown.
        memory_mib: Framebuffer of the GPU instance in MiB; None if unknown.
        multiprocessors: Multiprocessors of the MIG device; None if unknown.
        engines: Engines of the MIG device; None if unknown.
    """

    profile: Profile
    gpu_instance: int
    compute_instance: int
    uuid: str
    gpu_slices: int
    compute_slices: int
    start: int | None = None
    size: int | None = None
    memory_mib: int | None = None
    multiprocessors: int | None = None
    engines: Engines | None = None


@dataclass(frozen=True)
class ObservedGpuInstance:
    """One GPU instance as NVML reports it, with or without compute instances.

    Attributes:
        id: Id of the GPU instance.
        profile: Name of its profile.
        start: Start on the memory axis of its GPU.
        size: Size on that axis.
    """

    id: int
    profile: str
    start: int
    size: int


@dataclass(frozen=True)
class ObservedGpu:
    """One GPU as NVML reports it.

    Attributes:
        index: NVML index, which is the position in PCI order.
        name: Product name, such as `NVIDIA H100 80GB HBM3`.
        uuid: UUID of the GPU, `GPU-...`.
        device_id: PCI device and vendor id in one word, 0x233010DE; 0 if unknown.
        memory_mib: Framebuffer of the whole GPU in MiB; 0 if unknown.
        capability: CUDA compute capability, major and minor: (9, 0); (0, 0) if unknown.
        mig_capable: Whether the GPU supports MIG.
        mode: Current MIG mode; False if the GPU is not MIG-capable.
        pending_mode: MIG mode after the next reset.
        subsystem_id: PCI subsystem and vendor id in one word; None if unknown.
        profiles: GPU-instance profiles that NVML offers, by name; empty if they were not read.
        instances: MIG devices in the order of NVML.
        gpu_instances: GPU instances by id; None if the process that read them has no access.
    """

    index: int
    name: str
    uuid: str
    device_id: int
    memory_mib: int
    capability: tuple[int, int]
    mig_capable: bool = True
    mode: bool = False
    pending_mode: bool = False
    subsystem_id: int | None = None
    profiles: Mapping[str, ObservedProfile] = field(default_factory=dict)
    instances: tuple[ObservedInstance, ...] = ()
    gpu_instances: tuple[ObservedGpuInstance, ...] | None = None

    @property
    def bare_instances(self) -> tuple[ObservedGpuInstance, ...]:
        """GPU instances without a compute instance: they take up room and give no MIG device. Empty if unknown."""
        used = {device.gpu_instance for device in self.instances}
        return tuple(instance for instance in self.gpu_instances or () if instance.id not in used)


@dataclass(frozen=True)
class ListedDevice:
    """A MIG device as `nvidia-smi -L` lists it.

    Attributes:
        profile: Name of the profile as printed.
        index: Number of the device on its GPU, from 0.
        uuid: UUID of the MIG device, `MIG-...`.
    """

    profile: str
    index: int
    uuid: str


@dataclass(frozen=True)
class ListedGpu:
    """A GPU as `nvidia-smi -L` lists it.

    Attributes:
        index: NVML index.
        name: Product name.
        uuid: UUID of the GPU, `GPU-...`.
        devices: The MIG devices listed below it, in order; empty for none.
    """

    index: int
    name: str
    uuid: str
    devices: tuple[ListedDevice, ...] = ()


@dataclass(frozen=True)
class DeviceList:
    """The output of `nvidia-smi -L`.

    Attributes:
        gpus: The GPUs in the order of the list; empty for none.
        remarks: Other lines, in order: warnings of nvidia-smi, such as that of a corrupted infoROM, and messages of
            libraries that it loads.
    """

    gpus: tuple[ListedGpu, ...]
    remarks: tuple[str, ...] = ()
