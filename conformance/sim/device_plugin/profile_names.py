"""Profile names of MIG devices, derived from NVML.

Source: go-nvlib 0.12.0, pkg/nvlib/device/mig_profile.go, as vendored by NVIDIA/k8s-device-plugin v0.20.0.
"""

from __future__ import annotations

import math
from typing import Final

import pynvml

from conformance.spec.profile import Profile

_GPU_PROFILES: Final[dict[int, tuple[int, tuple[str, ...], tuple[str, ...]]]] = {
    pynvml.NVML_GPU_INSTANCE_PROFILE_1_SLICE: (1, (), ()),
    pynvml.NVML_GPU_INSTANCE_PROFILE_2_SLICE: (2, (), ()),
    pynvml.NVML_GPU_INSTANCE_PROFILE_3_SLICE: (3, (), ()),
    pynvml.NVML_GPU_INSTANCE_PROFILE_4_SLICE: (4, (), ()),
    pynvml.NVML_GPU_INSTANCE_PROFILE_7_SLICE: (7, (), ()),
    pynvml.NVML_GPU_INSTANCE_PROFILE_8_SLICE: (8, (), ()),
    pynvml.NVML_GPU_INSTANCE_PROFILE_6_SLICE: (6, (), ()),
    pynvml.NVML_GPU_INSTANCE_PROFILE_1_SLICE_REV1: (1, ("me",), ()),
    pynvml.NVML_GPU_INSTANCE_PROFILE_2_SLICE_REV1: (2, ("me",), ()),
    pynvml.NVML_GPU_INSTANCE_PROFILE_1_SLICE_REV2: (1, (), ()),
    pynvml.NVML_GPU_INSTANCE_PROFILE_1_SLICE_GFX: (1, ("gfx",), ()),
    pynvml.NVML_GPU_INSTANCE_PROFILE_2_SLICE_GFX: (2, ("gfx",), ()),
    pynvml.NVML_GPU_INSTANCE_PROFILE_4_SLICE_GFX: (4, ("gfx",), ()),
    pynvml.NVML_GPU_INSTANCE_PROFILE_1_SLICE_NO_ME: (1, (), ("me",)),
    pynvml.NVML_GPU_INSTANCE_PROFILE_2_SLICE_NO_ME: (2, (), ("me",)),
    pynvml.NVML_GPU_INSTANCE_PROFILE_1_SLICE_ALL_ME: (1, ("me.all",), ()),
    pynvml.NVML_GPU_INSTANCE_PROFILE_2_SLICE_ALL_ME: (2, ("me.all",), ()),
}
"""GPU instance profiles by NVML index: slices, attributes with `+`, attributes with `-`."""

_COMPUTE_PROFILES: Final = {0: 1, 1: 2, 2: 3, 3: 4, 4: 7, 5: 8, 6: 6, 7: 1, 8: 7}
"""Compute instance profiles by NVML index: slices."""

_MEMORY_PARTS: Final = 8
_MIB: Final = 2**20
_GIB: Final = 2**30


class ProfileNameError(Exception):
    """A MIG device or profile cannot be named."""


def full_profile(gpu_index: int, memory_mib: int, gpu_memory: int) -> Profile:
    """Return the name of a GPU instance profile with one compute instance that fills it.

    Args:
        gpu_index: NVML index of the GPU instance profile, not the id that `nvidia-smi mig -lgip` prints.
        memory_mib: Memory of the profile in MiB.
        gpu_memory: Total memory of the GPU in bytes.

    Raises:
        ProfileNameError: go-nvlib does not know the index, for example 17, a graphics profile of newer drivers.
    """
    slices, plus, minus = _attributes(gpu_index)
    return Profile(slices, slices, _memory_gb(memory_mib, gpu_memory), plus, minus)


def profile(gpu_index: int, compute_index: int, memory_mib: int, gpu_memory: int) -> Profile:
    """Return the name of a MIG device by the indexes of both profiles; see `full_profile`."""
    slices, plus, minus = _attributes(gpu_index)
    return Profile(_COMPUTE_PROFILES[compute_index], slices, _memory_gb(memory_mib, gpu_memory), plus, minus)


def _attributes(gpu_index: int) -> tuple[int, tuple[str, ...], tuple[str, ...]]:
    if gpu_index not in _GPU_PROFILES:
        raise ProfileNameError(f"invalid GPU Instance Profile ID: {gpu_index}")
    return _GPU_PROFILES[gpu_index]


def _memory_gb(memory_mib: int, gpu_memory: int) -> int:
    """Return the GiB of a profile: its eighths of the GPU (rounded up) times the GPU's GiB (rounded up), rounded."""
    parts = math.ceil(memory_mib * _MIB * _MEMORY_PARTS / gpu_memory)
    whole_gib = math.ceil(gpu_memory / _GIB)
    return math.floor(parts * whole_gib / _MEMORY_PARTS + 0.5)
