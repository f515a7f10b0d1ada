"""Reads the answer of the probe and the output of `nvidia-smi -L`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from conformance.expect.observed import (
    DeviceList,
    Driver,
    ListedDevice,
    ListedGpu,
    ObservedGpu,
    ObservedGpuInstance,
    ObservedInstance,
    ObservedProfile,
)
from conformance.spec.models import Engines
from conformance.spec.profile import Profile

_GPU_LINE: Final = re.compile(r"GPU (\d+): (.+) \(UUID: (GPU-[0-9A-Fa-f-]+)\)")
_DEVICE_LINE: Final = re.compile(r"\s+MIG (\S+)\s+Device\s+(\d+):\s*\(UUID: (MIG-\S+)\)")
_LISTS: Final = re.compile(r"GPU \d+:|\s*MIG \S+\s+Device\b")
"""How a line begins that lists a GPU or a MIG device, readable or not."""
_NONE_FOUND: Final = "No devices found."
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")


class UnreadableError(ValueError):
    """The output of a program does not have the expected form; the message shows what could not be read."""


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
