"""Opaque handles of NVML: ctypes pointers, as `pynvml` has them, whose address says what they stand for."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Any

import pynvml

from conformance.sim.hardware import ComputeInstance, DriverError, ErrorCode, Gpu, GpuInstance


class Kind(IntEnum):
    """What a handle stands for; 0 is left to the null pointer."""

    GPU = 1
    MIG_DEVICE = 2
    GPU_INSTANCE = 3
    COMPUTE_INSTANCE = 4


POINTERS: dict[Kind, Any] = {
    Kind.GPU: pynvml.c_nvmlDevice_t,
    Kind.MIG_DEVICE: pynvml.c_nvmlDevice_t,
    Kind.GPU_INSTANCE: pynvml.c_nvmlGpuInstance_t,
    Kind.COMPUTE_INSTANCE: pynvml.c_nvmlComputeInstance_t,
}


@dataclass(frozen=True)
class CheckContext:
    """What a handle says: index of the GPU on the node, and the ids of the instances (0 where it has none)."""

    kind: Kind
    gpu: int
    gpu_instance: int = 0
    compute_instance: int = 0


def pack(kind: Kind, gpu: Gpu, instance: GpuInstance | None = None, compute: ComputeInstance | None = None) -> Any:
    """The handle of a thing; equal things have handles with equal addresses."""
    numbers = (kind, gpu.index, instance.id if instance else 0, compute.id if compute else 0)
    return ctypes.cast(ctypes.c_void_p(int.from_bytes(bytes(numbers))), POINTERS[kind])


def unpack(handle: Any, *kinds: Kind) -> CheckContext:
    """What `handle` stands for.

    Raises:
        DriverError: `INVALID_ARGUMENT` for something that is no handle of these kinds.
    """
    try:
        place = _place(ctypes.cast(handle, ctypes.c_void_p).value or 0)
    except (ctypes.ArgumentError, TypeError, OverflowError, ValueError) as wrong:
        raise DriverError(ErrorCode.INVALID_ARGUMENT) from wrong
    if place.kind not in kinds:
        raise DriverError(ErrorCode.INVALID_ARGUMENT)
    return place


@cache
def _place(address: int) -> CheckContext:
    kind, *numbers = address.to_bytes(4)
    return CheckContext(Kind(kind), *numbers)


def fill(array_ref: Any, count_ref: Any, items: list[Any]) -> None:
    """Write `items` into a caller's array and their number into its counter.

    Both may be given bare or through `byref`; an array of None asks for the number alone. A short array is filled as
    far as it reaches: a real driver does not ask for its length.
    """
    array, count = getattr(array_ref, "_obj", array_ref), getattr(count_ref, "_obj", count_ref)
    count.value = len(items)
    for position in range(0 if array is None else min(len(array), len(items))):
        array[position] = items[position]
