"""GPUs as the suite reads them: through NVML with the probe, or from the output of `nvidia-smi -L`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from conformance.spec.models import Engines
from conformance.spec.profile import Profile

_GPU_LINE: Final = re.compile(r"GPU (\d+): (.+) \(UUID: (GPU-[0-9A-Fa-f-]+)\)")
_DEVICE_LINE: Final = re.compile(r"\s+MIG (\S+)\s+Device\s+(\d+):\s*\(UUID: (MIG-\S+)\)")
_LISTS: Final = re.compile(r"GPU \d+:|\s*MIG \S+\s+Device\b")
"""How a line begins that lists a GPU or a MIG device, readable or not."""
_NONE_FOUND: Final = "No devices found."
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Driver:
    """Versions of driver and CUDA on a node.

    Attributes:
        version: Version of the driver, such as `580.159.04`.
        cuda: Newest CUDA version that the driver supports, major and minor: (13, 0).
    """

    version: str
    cuda: tuple[int, int]


class UnreadableError(ValueError):
    """The output of a program does not have the expected form; the message shows what could not be read."""


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


def read_device_list(text: str) -> DeviceList:
    """Parse the output of `nvidia-smi -L`, which may have other lines before, between and after those of the list.

    Raises:
        UnreadableError: A line lists a GPU or a MIG device in another form, or a MIG device above all GPUs; or no line
            belongs to a list, but nvidia-smi says something, such as why it cannot reach the driver.
    """
    found: list[tuple[re.Match[str], list[ListedDevice]]] = []
    remarks, none_found = [], False
    for line in (_COLOUR.sub("", line).rstrip() for line in text.splitlines()):
        if gpu := _GPU_LINE.fullmatch(line):
            found.append((gpu, []))
        elif (device := _DEVICE_LINE.fullmatch(line)) and found:
            found[-1][1].append(ListedDevice(device[1], int(device[2]), device[3]))
        elif _LISTS.match(line):
            raise UnreadableError(f"unexpected line in the output of nvidia-smi -L: {line!r}")
        elif line.strip() == _NONE_FOUND:
            none_found = True
        elif line.strip():
            remarks.append(line.strip())
    if remarks and not found and not none_found:
        raise UnreadableError(f"unexpected line in the output of nvidia-smi -L: {remarks[0]!r}")
    gpus = tuple(ListedGpu(int(gpu[1]), gpu[2], gpu[3], tuple(devices)) for gpu, devices in found)
    return DeviceList(gpus, tuple(remarks))


def find_probe_answer(text: str) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    """Return the JSON object that the probe printed on a line of its own, and the other lines as remarks.

    Raises:
        UnreadableError: No line is such an object.
    """
    answers, remarks = [], []
    for line in text.splitlines():
        try:
            content = json.loads(line)
        except ValueError:
            content = None
        if isinstance(content, dict) and "probe" in content:
            answers.append(content)
        elif line.strip():
            remarks.append(line.strip())
    if len(answers) != 1:
        raise UnreadableError(f"{len(answers)} lines are answers of the probe, instead of 1")
    return answers[0], tuple(remarks)


def read_probe(data: Mapping[str, Any]) -> tuple[ObservedGpu, ...]:
    """Return the GPUs in the JSON that the probe printed (`conformance.probe`, format 1).

    Raises:
        UnreadableError: The probe reported an error, or its answer has another format or lacks a field.
    """
    try:
        return tuple(_gpu(gpu) for gpu in _answer(data)["gpus"])
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableError(f"invalid probe answer: {error!r}") from error


def read_driver(data: Mapping[str, Any]) -> Driver:
    """Return the versions in the JSON that the probe printed.

    Raises:
        UnreadableError: As for `read_probe`.
    """
    try:
        major, minor = _answer(data)["cuda"].split(".")
        return Driver(data["driver"], (int(major), int(minor)))
    except (KeyError, ValueError) as error:
        raise UnreadableError(f"invalid probe answer: {error!r}") from error


def _answer(data: Mapping[str, Any]) -> Mapping[str, Any]:
    if data.get("probe") != 1 or "error" in data:
        raise UnreadableError(f"not a probe answer in format 1: {str(data)[:200]}")
    return data


def _gpu(gpu: Mapping[str, Any]) -> ObservedGpu:
    mig = gpu["mig"]
    major, minor = gpu["capability"] or (0, 0)
    return ObservedGpu(
        index=gpu["index"],
        name=gpu["name"],
        uuid=gpu["uuid"],
        device_id=gpu["device_id"] or 0,
        memory_mib=gpu["memory_mib"] or 0,
        capability=(major, minor),
        mig_capable=mig["capable"],
        mode=bool(mig["current"]),
        pending_mode=bool(mig["pending"]),
        subsystem_id=gpu["subsystem_id"],
        profiles={profile["name"]: _profile(profile) for profile in gpu["profiles"] or ()},
        instances=tuple(_instance(instance) for instance in gpu["instances"]),
        gpu_instances=_gpu_instances(gpu.get("gpu_instances")),
    )


def _profile(profile: Mapping[str, Any]) -> ObservedProfile:
    placements, engines = profile["placements"], profile["engines"]
    return ObservedProfile(
        max_instances=profile["max_instances"],
        memory_mib=profile["memory_mib"],
        multiprocessors=profile["multiprocessors"],
        engines=Engines(**engines) if engines else None,
        placements=None if placements is None else frozenset((start, size) for start, size in placements),
    )


def _gpu_instances(found: Sequence[Mapping[str, Any]] | None) -> tuple[ObservedGpuInstance, ...] | None:
    if found is None:
        return None
    return tuple(ObservedGpuInstance(each["id"], each["profile"], each["start"], each["size"]) for each in found)


def _instance(instance: Mapping[str, Any]) -> ObservedInstance:
    engines = instance["engines"]
    return ObservedInstance(
        profile=Profile.parse(instance["profile"]),
        gpu_instance=instance["gi"],
        compute_instance=instance["ci"],
        uuid=instance["uuid"],
        gpu_slices=instance["slices_gi"],
        compute_slices=instance["slices_ci"],
        start=instance["start"],
        size=instance["size"],
        memory_mib=instance["memory_mib"],
        multiprocessors=instance["multiprocessors"],
        engines=Engines(**engines) if engines else None,
    )
