"""GPUs as they were read: by the probe through NVML, or out of what `nvidia-smi -L` prints."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from conformance.spec.models import Engines
from conformance.spec.profile import Profile

_GPU_LINE: Final = re.compile(r"GPU (\d+): (.+) \(UUID: (GPU-[0-9A-Fa-f-]+)\)")
_DEVICE_LINE: Final = re.compile(r"\s+MIG (\S+)\s+Device\s+(\d+):\s*\(UUID: (MIG-\S+)\)")


@dataclass(frozen=True)
class Driver:
    """Versions on the node.

    Attributes:
        version: Of the driver, `580.159.04`.
        cuda: Newest CUDA that it supports, (13, 0).
    """

    version: str
    cuda: tuple[int, int]


class UnreadableError(ValueError):
    """An answer does not have the form that was agreed; the message shows what could not be read."""


@dataclass(frozen=True)
class ObservedProfile:
    """What the driver says of a GPU-instance profile: the same driver must make its MIG devices so.

    Attributes:
        max_instances: How many fit on an empty GPU.
        memory_mib: Framebuffer of one instance; None where it was not read.
        multiprocessors: SMs of one instance; None as above.
        engines: Engines of one instance; None as above.
        placements: Start and size of every legal placement; None where the reader may not know.
    """

    max_instances: int
    memory_mib: int | None = None
    multiprocessors: int | None = None
    engines: Engines | None = None
    placements: frozenset[tuple[int, int]] | None = None


@dataclass(frozen=True)
class ObservedInstance:
    """One MIG device.

    Attributes:
        profile: Its profile.
        gpu_instance: Id of the GPU instance.
        compute_instance: Id of the compute instance within it.
        start: Where the GPU instance lies on the memory axis; None where the reader may not know.
        size: Its length there; None as above.
        uuid: UUID of the device, `MIG-...`.
        memory_mib: Framebuffer of the GPU instance; None where the reader may not know.
        multiprocessors: SMs of the device; None as above.
        gpu_slices: Compute slices of the GPU instance.
        compute_slices: Compute slices of the compute instance.
        engines: Its engines; None as above.
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
class ObservedGpu:
    """One GPU.

    Attributes:
        index: Its index in NVML, which is its place in PCI order.
        name: Product name of NVML.
        uuid: `GPU-...`.
        device_id: PCI device and vendor id in one word, 0x233010DE; 0 where the reader may not know.
        subsystem_id: PCI subsystem id in one word; None where unknown.
        memory_mib: Framebuffer of the whole GPU; 0 where the reader may not know.
        capability: CUDA compute capability, (9, 0); (0, 0) where the reader may not know.
        mig_capable: Whether it can do MIG at all.
        mode: Whether MIG is on now; False where it is not capable.
        pending_mode: The mode after the next reset.
        profiles: GPU-instance profiles that NVML offers, by name; empty where they were not read.
        instances: Its MIG devices in the order of NVML.
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


@dataclass(frozen=True)
class ListedDevice:
    """One MIG line of `nvidia-smi -L`."""

    profile: str
    index: int
    uuid: str


@dataclass(frozen=True)
class ListedGpu:
    """One GPU line of `nvidia-smi -L` with the MIG lines below it."""

    index: int
    name: str
    uuid: str
    devices: tuple[ListedDevice, ...] = ()


def read_device_list(text: str) -> tuple[ListedGpu, ...]:
    """Read what `nvidia-smi -L` printed; no GPU at all gives an empty tuple.

    Raises:
        UnreadableError: A line is neither a GPU nor a MIG device of one.
    """
    found: list[tuple[re.Match[str], list[ListedDevice]]] = []
    for line in text.splitlines():
        if gpu := _GPU_LINE.fullmatch(line.rstrip()):
            found.append((gpu, []))
        elif (device := _DEVICE_LINE.fullmatch(line.rstrip())) and found:
            found[-1][1].append(ListedDevice(device[1], int(device[2]), device[3]))
        elif line.strip() and line.strip() != "No devices found.":
            raise UnreadableError(f"no line of nvidia-smi -L: {line!r}")
    return tuple(ListedGpu(int(gpu[1]), gpu[2], gpu[3], tuple(devices)) for gpu, devices in found)


def read_probe(data: Mapping[str, Any]) -> tuple[ObservedGpu, ...]:
    """Read the GPUs in the answer of the probe (`conformance.probe`, format 1).

    Raises:
        UnreadableError: The probe failed, or its answer has another format or lacks a field.
    """
    try:
        return tuple(_gpu(gpu) for gpu in _answer(data)["gpus"])
    except (KeyError, TypeError, ValueError) as error:
        raise UnreadableError(f"the probe's answer cannot be read: {error!r}") from error


def read_driver(data: Mapping[str, Any]) -> Driver:
    """Read the versions in the answer of the probe.

    Raises:
        UnreadableError: As `read_probe`.
    """
    try:
        major, minor = _answer(data)["cuda"].split(".")
        return Driver(data["driver"], (int(major), int(minor)))
    except (KeyError, ValueError) as error:
        raise UnreadableError(f"the probe's answer cannot be read: {error!r}") from error


def _answer(data: Mapping[str, Any]) -> Mapping[str, Any]:
    if data.get("probe") != 1 or "error" in data:
        raise UnreadableError(f"no answer of the probe in format 1: {str(data)[:200]}")
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
