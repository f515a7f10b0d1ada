"""Which GPUs an entry of a configuration is about.

Source: NVIDIA/mig-parted v0.15.0, api/spec/v1/helpers.go, pkg/types/device.go, cmd/nvidia-mig-parted/assert/assert.go.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.sim.mig_parted.gpus import MigGpu
from conformance.spec.mig_parted import Entry


def walk(entries: Sequence[Entry], gpus: Sequence[MigGpu]) -> Iterator[tuple[Entry, MigGpu]]:
    """Every entry with every GPU it applies to: entries in their order, then GPUs in NVML's order."""
    for entry in entries:
        for gpu in gpus:
            if _index_matches(entry, gpu) and _filter_matches(entry, gpu):
                yield entry, gpu


def _index_matches(entry: Entry, gpu: MigGpu) -> bool:
    return entry.devices is None or gpu.index in entry.devices


def _filter_matches(entry: Entry, gpu: MigGpu) -> bool:
    return not entry.device_filter or any(_is_of(gpu, wanted) for wanted in entry.device_filter)


def _is_of(gpu: MigGpu, wanted: str) -> bool:
    """Whether a filter like `0x233010DE` or, with its subsystem, `0x233010DE:0x16C110DE` means the GPU.

    Filters are not checked anywhere: one that cannot be read matches nothing.
    """
    numbers = [_number(part) for part in wanted.split(":")]
    return numbers == [gpu.device_id] or numbers == [gpu.device_id, gpu.subsystem_id]


def _number(text: str) -> int | None:
    try:
        return int(text, 0)
    except ValueError:
        return None
