"""Print the GPUs of this machine or container, as NVML reports them, as one JSON object. Changes nothing.

Needs Python 3.8 and `pynvml` (nvidia-ml-py), installed or in the same directory. A value is null if the process has no
access to it. Fields:

    probe        1, the version of this format; after a failure "error" is the only other field
    driver       version of the driver
    cuda         highest CUDA version that the driver supports ("13.0")
    gpus         index, name, uuid, device_id and subsystem_id (numbers), memory_mib, capability [9, 0], mig, profiles,
                 gpu_instances, instances
    mig          capable (boolean), current and pending (MIG mode, 0 or 1; null if the GPU is not MIG-capable)
    profiles     the GPU-instance profiles that the GPU offers: name, id (of the driver), index (of NVML),
                 max_instances, slices, memory_mib, multiprocessors, engines, placements [[start, size], ...]
    gpu_instances
                 the GPU instances, whether or not they have compute instances: profile, id, start, size
    instances    the MIG devices: profile, profile_from, gi and ci (ids), start, size, uuid, memory_mib,
                 multiprocessors, slices_gi, slices_ci, engines
    profile_from "memory" if the profile was computed from the figures, as NVIDIA/go-nvlib does
                 (pkg/nvlib/device/mig_profile.go); "name" if it was read from the device's name, because the figures
                 are unknown or the GPU has no memory of its own
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pynvml

MIB = 1024 * 1024
ENGINES = ("copy", "decoder", "encoder", "jpeg", "ofa")
ATTRIBUTE_SUFFIXES = {
    **dict.fromkeys((7, 8), "+me"),
    **dict.fromkeys((10, 11, 12, 17), "+gfx"),
    **dict.fromkeys((13, 14), "-me"),
    **dict.fromkeys((15, 16), "+me.all"),
}
"""NVML profile index to the end of the profile's name; profiles with other indexes have no attributes."""
MAX_PROFILE_INDEXES = 64
"""More than the attributes of any version of NVML. The probe leaves out the indexes that NVML rejects."""
MOST_GPU_INSTANCES = 32
"""More than fit on any GPU."""
NO_ANSWER = (
    pynvml.NVML_ERROR_INVALID_ARGUMENT,
    pynvml.NVML_ERROR_NOT_SUPPORTED,
    pynvml.NVML_ERROR_NO_PERMISSION,
    pynvml.NVML_ERROR_NOT_FOUND,
    pynvml.NVML_ERROR_FUNCTION_NOT_FOUND,
)
"""Errors which mean that this GPU, driver or process cannot give an answer; all others are failures."""


def ask(function: Callable[..., Any], *args: Any) -> Any:
    """Call an NVML function; return None if it fails with one of `NO_ANSWER`.

    Raises:
        pynvml.NVMLError: The function fails with another error.
    """
    try:
        return function(*args)
    except pynvml.NVMLError as error:
        if error.value in NO_ANSWER:
            return None
        raise


def read() -> dict[str, Any]:
    """Return versions and GPUs; NVML must be initialised."""
    cuda = pynvml.nvmlSystemGetCudaDriverVersion()
    return {
        "probe": 1,
        "driver": text(pynvml.nvmlSystemGetDriverVersion()),
        "cuda": f"{cuda // 1000}.{cuda % 1000 // 10}",
        "gpus": [read_gpu(index) for index in range(pynvml.nvmlDeviceGetCount())],
    }


def read_gpu(index: int) -> dict[str, Any]:
    """Return the description of one GPU by its NVML index."""
    gpu = pynvml.nvmlDeviceGetHandleByIndex(index)
    pci = ask(pynvml.nvmlDeviceGetPciInfo, gpu)
    memory = ask(pynvml.nvmlDeviceGetMemoryInfo, gpu)
    capability = ask(pynvml.nvmlDeviceGetCudaComputeCapability, gpu)
    mode = ask(pynvml.nvmlDeviceGetMigMode, gpu)
    profiles = read_profiles(gpu)
    return {
        "index": index,
        "name": text(pynvml.nvmlDeviceGetName(gpu)),
        "uuid": text(pynvml.nvmlDeviceGetUUID(gpu)),
        "device_id": pci and pci.pciDeviceId,
        "subsystem_id": pci and pci.pciSubSystemId,
        "memory_mib": memory and memory.total // MIB,
        "capability": capability and list(capability),
        "mig": {"capable": mode is not None, "current": mode and mode[0], "pending": mode and mode[1]},
        "profiles": profiles,
        "gpu_instances": read_gpu_instances(gpu, mode, profiles),
        "instances": read_instances(gpu, memory, profiles),
    }


def read_profiles(gpu: Any) -> list[dict[str, Any]]:
    """Return the GPU-instance profiles that the GPU offers, in the order of NVML's indexes; empty without MIG."""
    profiles = []
    for index in range(MAX_PROFILE_INDEXES):
        info = ask(pynvml.nvmlDeviceGetGpuInstanceProfileInfo, gpu, index)
        if info is None:
            continue
        profiles.append(
            {
                "name": text(info.name).replace("MIG ", "", 1),
                "id": info.id,
                "index": index,
                "max_instances": info.instanceCount,
                "slices": info.sliceCount,
                "memory_mib": info.memorySizeMB,
                "multiprocessors": info.multiprocessorCount,
                "engines": {
                    kind: getattr(info, kind + ("EngineCount" if kind == "copy" else "Count")) for kind in ENGINES
                },
                "placements": read_placements(gpu, info.id),
            }
        )
    return profiles


def read_placements(gpu: Any, profile_id: int) -> list[list[int]] | None:
    """Return start and size of the legal placements of a profile; None if they are not accessible."""
    count = pynvml.c_uint()
    function = pynvml.nvmlDeviceGetGpuInstancePossiblePlacements
    if ask(function, gpu, profile_id, None, pynvml.byref(count)) is None:
        return None
    found = (pynvml.c_nvmlGpuInstancePlacement_t * count.value)()
    if ask(function, gpu, profile_id, found, pynvml.byref(count)) is None:
        return None
    return [[each.start, each.size] for each in found]


def read_gpu_instances(gpu: Any, mode: Any, profiles: list[dict[str, Any]]) -> list[dict[str, Any]] | None:
    """Return the GPU instances in the order of their ids; None if this process may not see them."""
    if not mode or not mode[0]:
        return []
    found = []
    for profile in profiles:
        # NVML writes as many handles as there are, without knowing how many have room.
        handles = (pynvml.c_nvmlGpuInstance_t * max(profile["max_instances"], MOST_GPU_INSTANCES))()
        count = pynvml.c_uint()
        if ask(pynvml.nvmlDeviceGetGpuInstances, gpu, profile["id"], handles, pynvml.byref(count)) is None:
            return None
        for handle in handles[: count.value]:
            info = pynvml.nvmlGpuInstanceGetInfo(handle)
            found.append(
                {
                    "profile": profile["name"],
                    "id": info.id,
                    "start": info.placement.start,
                    "size": info.placement.size,
                }
            )
    return sorted(found, key=lambda each: int(each["id"]))


def read_instances(gpu: Any, memory: Any, profiles: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the MIG devices of a GPU that this process has access to."""
    handles = (
        ask(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, gpu, index)
        for index in range(ask(pynvml.nvmlDeviceGetMaxMigDeviceCount, gpu) or 0)
    )
    return [read_instance(gpu, handle, memory, profiles) for handle in handles if handle is not None]


def read_instance(gpu: Any, device: Any, memory: Any, profiles: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the description of one MIG device."""
    attributes = pynvml.nvmlDeviceGetAttributes_v2(device)
    gi = pynvml.nvmlDeviceGetGpuInstanceId(device)
    instance = ask(pynvml.nvmlDeviceGetGpuInstanceById, gpu, gi)
    info = instance and ask(pynvml.nvmlGpuInstanceGetInfo, instance)
    index = next((each["index"] for each in profiles if info and each["id"] == info.profileId), None)
    if index is None or not memory or not memory.total:
        profile, source = text(pynvml.nvmlDeviceGetName(device)).partition(" MIG ")[2], "name"
    else:
        profile, source = profile_name(attributes, memory, index), "memory"
    return {
        "profile": profile,
        "profile_from": source,
        "gi": gi,
        "ci": pynvml.nvmlDeviceGetComputeInstanceId(device),
        "start": info and info.placement.start,
        "size": info and info.placement.size,
        "uuid": text(pynvml.nvmlDeviceGetUUID(device)),
        "memory_mib": attributes.memorySizeMB,
        "multiprocessors": attributes.multiprocessorCount,
        "slices_gi": attributes.gpuInstanceSliceCount,
        "slices_ci": attributes.computeInstanceSliceCount,
        "engines": {
            kind: getattr(attributes, "shared" + kind.capitalize() + ("EngineCount" if kind == "copy" else "Count"))
            for kind in ENGINES
        },
    }


def profile_name(attributes: Any, memory: Any, index: int) -> str:
    """Compute the name of a MIG device's profile as go-nvlib does: memory counts in eighths of the GPU, rounded up."""
    compute_slices, gpu_slices = attributes.computeInstanceSliceCount, attributes.gpuInstanceSliceCount
    eighths = -(-8 * attributes.memorySizeMB * MIB // memory.total)
    gigabytes = int(eighths / 8 * -(-memory.total // (1024 * MIB)) + 0.5)
    part = "" if compute_slices == gpu_slices else f"{compute_slices}c."
    return f"{part}{gpu_slices}g.{gigabytes}gb{ATTRIBUTE_SUFFIXES.get(index, '')}"


def text(value: str | bytes) -> str:
    """Return a string from NVML; older versions of pynvml return bytes."""
    return value.decode() if isinstance(value, bytes) else value


def main() -> int:
    """Print the JSON object; return 0, or 1 if NVML fails, with the reason in `error`."""
    try:
        pynvml.nvmlInit()
        answer, code = read(), 0
        pynvml.nvmlShutdown()
    except pynvml.NVMLError as error:
        answer, code = {"probe": 1, "error": str(error)}, 1
    sys.stdout.write(json.dumps(answer) + "\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
