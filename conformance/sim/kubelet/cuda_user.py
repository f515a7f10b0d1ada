"""The suite's program `use.py`, which tries what a process on MIG devices can do.

The script needs the CUDA driver, which simulated nodes do not have. This program answers as the driver does: a process
finds one MIG device, has its memory, and reaches no other (MIG User Guide, "CUDA device enumeration").
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from conformance.sim.container import Container
from conformance.sim.faults import Faults
from conformance.sim.hardware import NodeHardware
from conformance.sim.hardware.compute import multiprocessors
from conformance.sim.hardware.gpu import Gpu
from conformance.sim.hardware.instances import ComputeInstance, GpuInstance

SCRIPT: Final = "use.py"
_OUT_OF_MEMORY: Final = 2
"""CUDA_ERROR_OUT_OF_MEMORY"""


@dataclass(frozen=True)
class _Device:
    """A MIG device: a compute instance in a GPU instance of a GPU."""

    gpu: Gpu
    instance: GpuInstance
    compute: ComputeInstance


def answer(container: Container) -> int:
    """Print the answer; 1 where CUDA finds no device."""
    hardware, faults, visible = container.node.hardware, container.node.faults, container.visible
    own = [found for found in _devices(hardware) if visible is None or found.compute.uuid in visible]
    if not own or hardware.init_error is not None:
        container.log(json.dumps({"error": "cuInit failed with error 100"}))
        return 1
    linked = faults.on("driver-links-slices")
    used = own if linked else own[:1]
    positions = range(len(used))
    content = {
        "devices": [_describe(device, faults) for device in used],
        "peers": [[a, b] for a in positions for b in positions if a != b] if linked else [],
        "reached": [other for other in container.command[2:] if _reaches(other, own, hardware, faults)],
    }
    container.log(json.dumps(content))
    return 0


def _devices(hardware: NodeHardware) -> list[_Device]:
    return [
        _Device(gpu, instance, compute)
        for gpu in hardware.gpus
        if gpu.mode_current
        for instance in gpu.instances
        for compute in instance.compute_instances
    ]


def _describe(device: _Device, faults: Faults) -> dict[str, Any]:
    return {
        "uuid": device.compute.uuid,
        "memory_mib": device.instance.row.memory_mib,
        "multiprocessors": multiprocessors(device.gpu.model, device.instance, device.compute.slices),
        "too_much": 0 if faults.on("driver-overcommits-memory") else _OUT_OF_MEMORY,
        "fits": 0,
    }


def _reaches(other: str, own: list[_Device], hardware: NodeHardware, faults: Faults) -> bool:
    """Whether a process reaches a device: one of its container; with a defect any of the same GPU."""
    if other in {device.compute.uuid for device in own}:
        return True
    if not faults.on("driver-opens-neighbours"):
        return False
    gpus = [device.gpu for device in _devices(hardware) if device.compute.uuid == other]
    return any(gpu is mine.gpu for gpu in gpus for mine in own)
