"""Which entries of a mig-parted configuration match which GPU.

Source: NVIDIA/mig-parted v0.15.0, api/spec/v1/helpers.go and pkg/types/device.go.
"""

from __future__ import annotations

from collections.abc import Iterable

from conformance.expect.observed import ObservedGpu
from conformance.spec.device_filter import parse_filter
from conformance.spec.mig_parted import Entry


def matching_entries(gpu: ObservedGpu, entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Return the entries that match the GPU by index and by device filter, in the order of the file."""
    return tuple(entry for entry in entries if _by_index(gpu, entry) and _by_filter(gpu, entry))


def _by_index(gpu: ObservedGpu, entry: Entry) -> bool:
    return entry.devices is None or gpu.index in entry.devices


def _by_filter(gpu: ObservedGpu, entry: Entry) -> bool:
    return not entry.device_filter or any(_has_ids(gpu, wanted) for wanted in entry.device_filter)


def _has_ids(gpu: ObservedGpu, wanted: str) -> bool:
    ids = parse_filter(wanted)
    if ids is None or ids.device != gpu.device_id:
        return False
    return ids.subsystem is None or ids.subsystem == gpu.subsystem_id
