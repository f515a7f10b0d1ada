"""`nvidia-mig-parted export`: the state of the GPUs as a configuration.

Source: NVIDIA/mig-parted v0.15.0, cmd/nvidia-mig-parted/export/config.go.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from conformance.sim.mig_parted.gpus import MigGpu
from conformance.spec.mig_parted import VERSION


def export(gpus: Sequence[MigGpu], label: str) -> dict[str, Any]:
    """Return a configuration file whose only configuration, named `label`, describes the node."""
    return {"version": VERSION, "mig-configs": {label: _entries(gpus)}}


def _entries(gpus: Sequence[MigGpu]) -> list[dict[str, Any]]:
    """Return one entry per state of GPUs, in the order of the first GPU in each state."""
    groups: list[tuple[tuple[bool, dict[str, int]], list[MigGpu]]] = []
    for gpu in gpus:
        state = _state(gpu)
        for known, members in groups:
            if known == state:
                members.append(gpu)
                break
        else:
            groups.append((state, [gpu]))
    return [_entry(state, members, gpus) for state, members in groups]


def _state(gpu: MigGpu) -> tuple[bool, dict[str, int]]:
    return gpu.enabled, dict(sorted(gpu.geometry().items())) if gpu.enabled else {}


def _entry(state: tuple[bool, dict[str, int]], members: Sequence[MigGpu], gpus: Sequence[MigGpu]) -> dict[str, Any]:
    """Return the shortest entry for GPUs: `all` if it covers every GPU of their kinds, a filter only if needed."""
    enabled, counts = state
    kinds = sorted({f"0x{gpu.device_id:08X}" for gpu in members})
    alike = [gpu for gpu in gpus if f"0x{gpu.device_id:08X}" in kinds]
    entry: dict[str, Any] = {}
    if len({gpu.device_id for gpu in gpus}) > 1 and len(members) < len(gpus):
        entry["device-filter"] = kinds[0] if len(kinds) == 1 else kinds
    entry["devices"] = "all" if len(alike) == len(members) else [gpu.index for gpu in members]
    return {**entry, "mig-enabled": enabled, "mig-devices": counts}
