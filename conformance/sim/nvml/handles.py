"""Opaque NVML handles: ctypes pointers as in `pynvml`, whose address encodes the object."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from typing import Any

import pynvml

from conformance.sim.hardware import ComputeInstance, DriverError, ErrorCode, Gpu, GpuInstance


class Kind(IntEnum):
    """Type of a handle's object; 0 is reserved for the null pointer."""

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
class Content:
    """Content of a handle: index of the GPU on the node, and ids of the instances (0 if there is none)."""

    kind: Kind
    gpu: int
    gpu_instance: int = 0
    compute_instance: int = 0


def pack(kind: Kind, gpu: Gpu, instance: GpuInstance | None = None, compute: ComputeInstance | None = None) -> Any:
    """Return the handle of an object; the same object always has the same address."""
    return _pointer(Content(kind, gpu.index, instance.id if instance else 0, compute.id if compute else 0))


def unpack(handle: Any, *kinds: Kind) -> Content:
    """Return the content of a handle.

    Raises:
        DriverError: `INVALID_ARGUMENT` if it is not a handle of one of these kinds.
    """
    content = getattr(handle, "content", None) or _content_behind(handle)
    if content.kind not in kinds:
        raise DriverError(ErrorCode.INVALID_ARGUMENT)
    return content


@cache
def _pointer(content: Content) -> Any:
    numbers = (content.kind, content.gpu, content.gpu_instance, content.compute_instance)
    pointer = ctypes.cast(ctypes.c_void_p(int.from_bytes(bytes(numbers))), POINTERS[content.kind])
    # Spares most calls the cast; a handle that went through an array of the caller has the address alone.
    pointer.content = content
    return pointer


def _content_behind(handle: Any) -> Content:
    try:
        return _content_at(ctypes.cast(handle, ctypes.c_void_p).value or 0)
    except (ctypes.ArgumentError, TypeError, OverflowError, ValueError) as wrong:
        raise DriverError(ErrorCode.INVALID_ARGUMENT) from wrong


@cache
def _content_at(address: int) -> Content:
    kind, *numbers = address.to_bytes(4)
    return Content(Kind(kind), *numbers)


def fill(array_ref: Any, count_ref: Any, items: list[Any]) -> None:
    """Write `items` into a caller's array and their number into its counter.

    Both may be objects or references (`byref`). If the array is None, only the number is written. A shorter array is
    filled up to its end; a real driver does not know its length.
    """
    array, count = getattr(array_ref, "_obj", array_ref), getattr(count_ref, "_obj", count_ref)
    count.value = len(items)
    for position in range(0 if array is None else min(len(array), len(items))):
        array[position] = items[position]
