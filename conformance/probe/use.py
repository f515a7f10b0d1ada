"""Tries what a process on MIG devices can do, through the CUDA driver, and prints it as one JSON object.

It runs in pods. It needs Python and the CUDA driver library, which the container runtime mounts; no toolkit. Arguments
are UUIDs of MIG devices that it tries to reach. Fields:

    devices   CUDA devices: uuid, memory_mib, multiprocessors; too_much and fits: error number of an allocation of more
              memory than the device has, and of 16 MiB (0 for success)
    peers     pairs of their positions that can access each other's memory
    reached   those of the UUIDs in the arguments that CUDA finds when it is told to use them
    error     instead of all others, if a call failed: its name and error number

Source: CUDA Driver API reference; CUDA_VISIBLE_DEVICES as in the MIG User Guide, "CUDA device enumeration".
"""

from __future__ import annotations

import ctypes
import json
import os
import subprocess
import sys
import uuid
from typing import Any

LIBRARY = "libcuda.so.1"
MULTIPROCESSOR_COUNT = 16
"""CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT"""
MIB = 1024 * 1024
LITTLE = 16 * MIB
COUNT = "--count"


class CudaError(Exception):
    """A call of the driver failed; the message names call and error number."""


def use(cuda: ctypes.CDLL) -> dict[str, Any]:
    """Return devices and peers.

    Raises:
        CudaError: A call failed that must succeed.
    """
    positions = range(count(cuda))
    return {
        "devices": [device(cuda, position) for position in positions],
        "peers": [[a, b] for a in positions for b in positions if a != b and can_access(cuda, a, b)],
    }


def count(cuda: ctypes.CDLL) -> int:
    """Return the number of CUDA devices."""
    number = ctypes.c_int()
    call(cuda, "cuInit", 0)
    call(cuda, "cuDeviceGetCount", ctypes.byref(number))
    return number.value


def device(cuda: ctypes.CDLL, position: int) -> dict[str, Any]:
    """Describe one device, and try to allocate memory on it."""
    handle, context, raw = ctypes.c_int(), ctypes.c_void_p(), (ctypes.c_ubyte * 16)()
    total, processors = ctypes.c_size_t(), ctypes.c_int()
    call(cuda, "cuDeviceGet", ctypes.byref(handle), position)
    call(cuda, "cuDeviceGetUuid_v2", ctypes.byref(raw), handle)
    call(cuda, "cuDeviceTotalMem_v2", ctypes.byref(total), handle)
    call(cuda, "cuDeviceGetAttribute", ctypes.byref(processors), MULTIPROCESSOR_COUNT, handle)
    call(cuda, "cuDevicePrimaryCtxRetain", ctypes.byref(context), handle)
    call(cuda, "cuCtxSetCurrent", context)
    return {
        "uuid": f"MIG-{uuid.UUID(bytes=bytes(raw))}",
        "memory_mib": total.value // MIB,
        "multiprocessors": processors.value,
        "too_much": allocate(cuda, total.value + LITTLE),
        "fits": allocate(cuda, LITTLE),
    }


def allocate(cuda: ctypes.CDLL, size: int) -> int:
    """Allocate and free memory; return the error number of the allocation."""
    pointer = ctypes.c_void_p()
    error: int = cuda.cuMemAlloc_v2(ctypes.byref(pointer), ctypes.c_size_t(size))
    if not error:
        call(cuda, "cuMemFree_v2", pointer)
    return error


def can_access(cuda: ctypes.CDLL, one: int, other: int) -> bool:
    """Return whether one device can access the memory of another."""
    answer = ctypes.c_int()
    call(cuda, "cuDeviceCanAccessPeer", ctypes.byref(answer), one, other)
    return bool(answer.value)


def reaches(device_uuid: str) -> bool:
    """Return whether a new process that is told to use a device finds it."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": device_uuid}
    command = [sys.executable, __file__, COUNT]
    return subprocess.run(command, env=environment, check=False, capture_output=True).returncode == 0  # noqa: S603


def call(cuda: ctypes.CDLL, name: str, *arguments: object) -> None:
    """Call the driver."""
    error = getattr(cuda, name)(*arguments)
    if error:
        raise CudaError(f"{name} failed with error {error}")


def main() -> int:
    """Print the answer; with `--count`, end with 0 if there is a CUDA device."""
    try:
        cuda = ctypes.CDLL(LIBRARY)
        if sys.argv[1:] == [COUNT]:
            return int(count(cuda) == 0)
        answer = use(cuda)
    except (CudaError, OSError) as error:
        sys.stdout.write(json.dumps({"error": str(error)}) + "\n")
        return 1
    own = {found["uuid"] for found in answer["devices"]}
    reached = [other for other in sys.argv[1:] if other not in own and reaches(other)]
    sys.stdout.write(json.dumps({**answer, "reached": reached}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
