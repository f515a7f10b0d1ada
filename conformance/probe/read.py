"""Print the GPUs of this machine or container, as NVML sees them, in one JSON object. Changes nothing.

Needs `pynvml` (nvidia-ml-py) beside it or installed, and Python 3.8. What the process may not know is null. Fields:

    probe        1, the version of this form; after a failure only "error" stands beside it
    driver, cuda version of the driver, and the highest CUDA version it supports ("13.0")
    gpus         index, name, uuid, device_id and subsystem_id (numbers), memory_mib, capability [9, 0], mig, profiles,
                 instances
    mig          capable, and current and pending mode as 0 or 1; null where not capable
    profiles     what the GPU offers: name, id (the driver's), index (NVML's), max_instances, slices, memory_mib,
                 multiprocessors, engines, placements [[start, size], ...]
    instances    the MIG devices: profile, profile_from, gi, ci (ids), start, size, uuid, memory_mib, multiprocessors,
                 slices_gi, slices_ci, engines. profile_from is "memory" where the profile was computed from sizes as
                 NVIDIA/go-nvlib does (pkg/nvlib/device/mig_profile.go), "name" where it was read from the device's name
                 because the process may not know the sizes or the GPU has no memory of its own
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import pynvml

MIB = 1024 * 1024
ENGINES = ("copy", "decoder", "encoder", "jpeg", "ofa")
ATTRIBUTES = {
    **dict.fromkeys((7, 8), "+me"),
    **dict.fromkeys((10, 11, 12, 17), "+gfx"),
    **dict.fromkeys((13, 14), "-me"),
    **dict.fromkeys((15, 16), "+me.all"),
}
"""What the profile's name ends in, by NVML index; nothing for the others."""
MOST_INDEXES = 64
"""More profile indexes than any version of NVML has; those that it does not know are refused and left out."""
UNKNOWABLE = (
    pynvml.NVML_ERROR_INVALID_ARGUMENT,
    pynvml.NVML_ERROR_NOT_SUPPORTED,
    pynvml.NVML_ERROR_NO_PERMISSION,
    pynvml.NVML_ERROR_NOT_FOUND,
    pynvml.NVML_ERROR_FUNCTION_NOT_FOUND,
)


def ask(function: Callable[..., Any], *args: Any) -> Any:
    """Call a function of NVML; None where this GPU, driver or process cannot have an answer."""
    try:
        return function(*args)
    except pynvml.NVMLError as error:
        if error.value in UNKNOWABLE:
            return None
        raise


def read() -> dict[str, Any]:
    """Read everything; NVML must be initialised."""
    cuda = pynvml.nvmlSystemGetCudaDriverVersion()
    return {
        "probe": 1,
        "driver": text(pynvml.nvmlSystemGetDriverVersion()),
        "cuda": f"{cuda // 1000}.{cuda % 1000 // 10}",
        "gpus": [read_gpu(index) for index in range(pynvml.nvmlDeviceGetCount())],
    }


def read_gpu(index: int) -> dict[str, Any]:
    """Read one GPU."""
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
        "instances": read_instances(gpu, memory, profiles),
    }


def read_profiles(gpu: Any) -> list[dict[str, Any]]:
    """Read what the GPU offers, in the order of NVML's indexes; empty where MIG is impossible."""
    profiles = []
    for index in range(MOST_INDEXES):
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
    """Read where instances of a profile may lie."""
    count = pynvml.c_uint()
    function = pynvml.nvmlDeviceGetGpuInstancePossiblePlacements
    if ask(function, gpu, profile_id, None, pynvml.byref(count)) is None:
        return None
    found = (pynvml.c_nvmlGpuInstancePlacement_t * count.value)()
    if ask(function, gpu, profile_id, found, pynvml.byref(count)) is None:
        return None
    return [[each.start, each.size] for each in found]


def read_instances(gpu: Any, memory: Any, profiles: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Read the MIG devices of a GPU that this process may use."""
    handles = (
        ask(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, gpu, index)
        for index in range(ask(pynvml.nvmlDeviceGetMaxMigDeviceCount, gpu) or 0)
    )
    return [read_instance(gpu, handle, memory, profiles) for handle in handles if handle is not None]


def read_instance(gpu: Any, device: Any, memory: Any, profiles: list[dict[str, Any]]) -> dict[str, Any]:
    """Read one MIG device."""
    has = pynvml.nvmlDeviceGetAttributes_v2(device)
    gi = pynvml.nvmlDeviceGetGpuInstanceId(device)
    instance = ask(pynvml.nvmlDeviceGetGpuInstanceById, gpu, gi)
    info = instance and ask(pynvml.nvmlGpuInstanceGetInfo, instance)
    index = next((each["index"] for each in profiles if info and each["id"] == info.profileId), None)
    if index is None or not memory or not memory.total:
        profile, source = text(pynvml.nvmlDeviceGetName(device)).partition(" MIG ")[2], "name"
    else:
        profile, source = profile_name(has, memory, index), "memory"
    return {
        "profile": profile,
        "profile_from": source,
        "gi": gi,
        "ci": pynvml.nvmlDeviceGetComputeInstanceId(device),
        "start": info and info.placement.start,
        "size": info and info.placement.size,
        "uuid": text(pynvml.nvmlDeviceGetUUID(device)),
        "memory_mib": has.memorySizeMB,
        "multiprocessors": has.multiprocessorCount,
        "slices_gi": has.gpuInstanceSliceCount,
        "slices_ci": has.computeInstanceSliceCount,
        "engines": {
            kind: getattr(has, "shared" + kind.capitalize() + ("EngineCount" if kind == "copy" else "Count"))
            for kind in ENGINES
        },
    }


def profile_name(attributes: Any, memory: Any, index: int) -> str:
    """Compute the profile of a MIG device as go-nvlib does, with its memory in whole eighths of the GPU's."""
    compute_slices, gpu_slices = attributes.computeInstanceSliceCount, attributes.gpuInstanceSliceCount
    eighths = -(-8 * attributes.memorySizeMB * MIB // memory.total)
    gigabytes = int(eighths / 8 * -(-memory.total // (1024 * MIB)) + 0.5)
    part = "" if compute_slices == gpu_slices else f"{compute_slices}c."
    return f"{part}{gpu_slices}g.{gigabytes}gb{ATTRIBUTES.get(index, '')}"


def text(value: str | bytes) -> str:
    """Return a string of NVML, which older versions of pynvml give as bytes."""
    return value.decode() if isinstance(value, bytes) else value


def main() -> int:
    """Print what was read; 1 when NVML refuses to work, with the reason in the JSON."""
    try:
        pynvml.nvmlInit()
        answer, code = read(), 0
        pynvml.nvmlShutdown()
    except pynvml.NVMLError as error:
        answer, code = {"probe": 1, "error": str(error)}, 1
    json.dump(answer, sys.stdout)
    sys.stdout.write("\n")
    return code


if __name__ == "__main__":
    sys.exit(main())
