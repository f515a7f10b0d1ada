"""The GPU instances of a node as `nvidia-smi mig -lgi` lists them, for GPUs whose instances NVML did not show.

NVML shows GPU instances to privileged processes only. Source: docs/reference/nvidia-smi.md#messages; output of NVIDIA
driver 580.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from conformance.expect.observed import ObservedGpu, ObservedGpuInstance

_ROW: Final = re.compile(r"\|\s*(\d+)\s+MIG (\S+)\s+\d+\s+(\d+)\s+(\d+):(\d+)\s*\|")
"""GPU, profile, id of the profile, id of the instance, start and size."""
_NONE: Final = re.compile(r"No GPU instances found|No MIG-enabled devices found", re.IGNORECASE)


def with_gpu_instances(gpus: Sequence[ObservedGpu], listed: str) -> tuple[ObservedGpu, ...]:
    """Return the GPUs with the GPU instances of the list, where they were unknown.

    Args:
        gpus: The GPUs as the probe read them.
        listed: Output of `nvidia-smi mig -lgi`. If it is no list, such as a refusal, the GPUs are returned unchanged.
    """
    if (found := read_gpu_instances(listed)) is None:
        return tuple(gpus)
    return tuple(
        gpu if gpu.gpu_instances is not None else replace(gpu, gpu_instances=found.get(gpu.index, ())) for gpu in gpus
    )


def read_gpu_instances(listed: str) -> Mapping[int, tuple[ObservedGpuInstance, ...]] | None:
    """Return the GPU instances of the list by index of the GPU, in order of their ids; None if it is no such list."""
    found: defaultdict[int, list[ObservedGpuInstance]] = defaultdict(list)
    for index, profile, instance, start, size in _ROW.findall(listed):
        found[int(index)].append(ObservedGpuInstance(int(instance), profile, int(start), int(size)))
    if not found and not _NONE.search(listed):
        return None
    return {index: tuple(sorted(instances, key=lambda each: each.id)) for index, instances in found.items()}
