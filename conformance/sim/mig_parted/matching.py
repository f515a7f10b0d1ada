"""Which GPUs an entry of a configuration applies to, and `nvidia-mig-parted assert`, which compares them with it.

Source: NVIDIA/mig-parted v0.15.0, api/spec/v1/helpers.go, pkg/types/device.go, cmd/nvidia-mig-parted/assert (assert.go,
mode.go, config.go).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from conformance.sim.mig_parted.gpus import MigGpu
from conformance.sim.mig_parted.output import MigPartedError
from conformance.spec.device_filter import DeviceFilter, parse_filter
from conformance.spec.mig_parted import Entry


def walk(entries: Sequence[Entry], gpus: Sequence[MigGpu]) -> Iterator[tuple[Entry, MigGpu]]:
    """Yield every entry with every GPU it applies to: entries in their order, GPUs in NVML's order."""
    for entry in entries:
        for gpu in gpus:
            if _index_matches(entry, gpu) and _filter_matches(entry, gpu):
                yield entry, gpu


def _index_matches(entry: Entry, gpu: MigGpu) -> bool:
    return entry.devices is None or gpu.index in entry.devices


def _filter_matches(entry: Entry, gpu: MigGpu) -> bool:
    return not entry.device_filter or any(_is_of(gpu, wanted) for wanted in entry.device_filter)


def _is_of(gpu: MigGpu, wanted: str) -> bool:
    """Return whether a filter matches the GPU; one without ids matches nothing."""
    return parse_filter(wanted) in (DeviceFilter(gpu.device_id), DeviceFilter(gpu.device_id, gpu.subsystem_id))


def assert_modes(entries: Sequence[Entry], gpus: Sequence[MigGpu]) -> None:
    """Check that every GPU that an entry applies to has the wanted mode; pending modes are ignored.

    Raises:
        MigPartedError: A GPU has another mode, or is not MIG capable.
    """
    for entry, gpu in walk(entries, gpus):
        if not gpu.capable:
            if entry.enabled:
                raise MigPartedError("unable to assert MIG mode enabled on non MIG-capable GPU")
        elif gpu.enabled != entry.enabled:
            raise MigPartedError("current mode different than mode being asserted")


def assert_geometry(entries: Sequence[Entry], gpus: Sequence[MigGpu]) -> None:
    """Check that an entry applies to every GPU of the node, and that the GPU has exactly its MIG devices.

    Raises:
        MigPartedError: A GPU has no entry or other MIG devices.
    """
    matched = [False] * len(gpus)
    for entry, gpu in walk(entries, gpus):
        matched[gpu.index] = _carries(entry, gpu)
    if not all(matched):
        raise MigPartedError("not all GPUs match the specified config")


def _carries(entry: Entry, gpu: MigGpu) -> bool:
    """Compare names and counts literally: a count of 0 or another spelling of a profile never matches."""
    if not entry.enabled and not gpu.enabled:
        return True
    return dict(gpu.geometry()) == dict(entry.mig_devices)
