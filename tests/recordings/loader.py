"""The recordings of the real programs, and nodes in the state that a recording speaks of.

The files in `data/` are the recordings (their versions stand inside each file), compressed. Another
folder of the same format can take their place, with or without compression.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from conformance.sim.hardware import Gpu, NodeHardware
from conformance.spec.models import board_names

DATA = Path(__file__).parent / "data"


def recorded(name: str, directory: Path | None = None) -> dict[str, Any]:
    """Read `<name>.json` or `<name>.json.gz`; an empty object where the folder has no such file."""
    path = (directory or DATA) / f"{name}.json"
    packed = path.with_name(f"{name}.json.gz")
    if path.exists():
        text = path.read_text()
    elif packed.exists():
        text = gzip.decompress(packed.read_bytes()).decode()
    else:
        return {}
    content: dict[str, Any] = json.loads(text)
    return content


def board_of(sku: str) -> str:
    """Name of the board that a recording means: the same, else the first that has all words of it, or no others."""
    name, words = sku.lower(), set(sku.lower().split("-"))
    alike = [board for board in board_names() if words <= set(board.split("-")) or words >= set(board.split("-"))]
    return name if name in alike or not alike else alike[0]


def hardware_from(gpus: Iterable[Mapping[str, Any]], node: str = "node") -> NodeHardware:
    """Build a node whose GPUs are in the state that a recording gives (`gpus`, `mig_after`)."""
    states = list(gpus)
    hardware = NodeHardware([board_of(state["sku"]) for state in states], node=node)
    for gpu, state in zip(hardware.gpus, states, strict=True):
        set_state(gpu, state)
    return hardware


def set_state(gpu: Gpu, state: Mapping[str, Any]) -> None:
    """Put one GPU into a recorded state: MIG mode, then its instances one by one at their places."""
    current, pending = (bool(mode) for mode in state["mig"])
    for instance in gpu.instances:
        for compute in list(instance.compute_instances):
            gpu.destroy_compute_instance(instance, compute.id)
        gpu.destroy_instance(instance)
    gpu.mode_current, gpu.mode_pending = current, pending
    for instance in state["instances"]:
        _create(gpu, instance)


def _create(gpu: Gpu, recorded_instance: Sequence[int]) -> None:
    profile_id, start, _, count = recorded_instance
    row = next(row for row in gpu.model.profiles if row.gi_profile_id == profile_id)
    instance = gpu.create_instance(row, start)
    slices = row.slices if count == 1 else 1
    for _ in range(count):
        gpu.create_compute_instance(instance, COMPUTE_PROFILES[slices])


COMPUTE_PROFILES = {1: 0, 2: 1, 3: 2, 4: 3, 7: 4, 8: 5, 6: 6}
"""NVML's index of the compute-instance profile by slices."""


State = list[tuple[bool, bool, list[list[int]]]]
"""Per GPU: MIG mode, pending mode, and the instances as profile id, start, size, compute instances; sorted."""


def state_of(hardware: NodeHardware) -> State:
    """Describe what is on the GPUs of a node."""
    return [
        (
            gpu.mode_current,
            gpu.mode_pending,
            sorted(
                [instance.row.gi_profile_id, instance.start, instance.size, len(instance.compute_instances)]
                for instance in gpu.instances
            ),
        )
        for gpu in hardware.gpus
    ]


def state_in(gpus: Iterable[Mapping[str, Any]]) -> State:
    """Describe the same in a recording (`gpus`, `mig_after`), whose order of instances means nothing."""
    told = [(*gpu["mig"], gpu["instances"]) for gpu in gpus]
    return [(bool(current), bool(pending), sorted(instances)) for current, pending, instances in told]
