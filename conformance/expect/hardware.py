"""D-01: the hardware carries what the configuration asks for, in legal places and with the sizes of its profiles."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from itertools import pairwise

from conformance.expect.catalogue import profile_row
from conformance.expect.compare import compare_mappings
from conformance.expect.geometry import WantedGpu, observed_geometry
from conformance.expect.observed import ObservedGpu, ObservedInstance
from conformance.expect.place import ConformanceError, Finding, Place
from conformance.spec.models import ProfileRow


def check_geometry(place: Place, gpus: Sequence[ObservedGpu], wanted: Sequence[WantedGpu]) -> None:
    """Compare MIG mode and MIG devices of every GPU with what the configuration asks for.

    Raises:
        ConformanceError: A GPU differs; every GPU that does is shown.
    """
    expected = {f"GPU {gpu.index}": _geometry(gpu) for gpu in wanted}
    found = {f"GPU {gpu.index}": _geometry(gpu) for gpu in observed_geometry(gpus)}
    if finding := compare_mappings(expected, found, only_differences=True):
        raise ConformanceError(place, "geometry", finding, _why_not(gpus, wanted))


def check_instances(place: Place, gpus: Sequence[ObservedGpu]) -> None:
    """Check every MIG device in itself: placement, no overlap, slices, memory, multiprocessors, unique UUIDs.

    Figures that nobody has confirmed for the model are not compared, nor those that the reader may not know.

    Raises:
        ConformanceError: A device is not what its profile says; all such are listed.
    """
    wrong = [*_doubled(gpus)]
    for gpu in gpus:
        wrong += [f"GPU {gpu.index} {text}" for text in (*_overlaps(gpu), *_deviations(gpu))]
    if wrong:
        raise ConformanceError(
            place, "MIG devices", Finding(("each as its profile says, at a legal place of its own",), tuple(wrong))
        )


def check_mode_settled(place: Place, gpus: Sequence[ObservedGpu]) -> None:
    """Check that no GPU waits for a reset or reboot to change its MIG mode.

    Raises:
        ConformanceError: A GPU's pending mode differs from its current one.
    """
    expected = {f"GPU {gpu.index}": f"pending mode {_on(gpu.mode)}" for gpu in gpus}
    found = {f"GPU {gpu.index}": f"pending mode {_on(gpu.pending_mode)}" for gpu in gpus}
    if finding := compare_mappings(expected, found, only_differences=True):
        raise ConformanceError(place, "MIG mode", finding, ("the GPU needs a reset or the node a reboot",))


def deviations(gpu_name: str, memory_total_mib: int, instance: ObservedInstance) -> Iterator[str]:
    """Say in what a MIG device differs from its profile; nothing where it does not."""
    profile, row = instance.profile, profile_row(gpu_name, instance.profile)
    slices = (instance.gpu_slices, instance.compute_slices)
    if slices != (profile.gpu_slices, profile.compute_slices):
        yield f"{profile}: {slices[0]} and {slices[1]} slices"
    if not _names_its_memory(instance, memory_total_mib):
        yield f"{profile}: {instance.memory_mib} MiB of {memory_total_mib}"
    if row is not None:
        yield from _other_multiprocessors(row, instance)
        yield from _other_placement(row, instance)


def _deviations(gpu: ObservedGpu) -> Iterator[str]:
    for instance in gpu.instances:
        yield from deviations(gpu.name, gpu.memory_mib, instance)


def _other_multiprocessors(row: ProfileRow, instance: ObservedInstance) -> Iterator[str]:
    known = instance.multiprocessors is not None and "multiprocessors" not in row.assumed
    if known and instance.profile.is_full and instance.multiprocessors != row.multiprocessors:
        yield f"{instance.profile}: {instance.multiprocessors} multiprocessors in place of {row.multiprocessors}"


def _other_placement(row: ProfileRow, instance: ObservedInstance) -> Iterator[str]:
    starts, size = row.placements.starts, row.placements.size
    known = instance.start is not None and "placements" not in row.assumed
    if known and (instance.start not in starts or instance.size != size):
        yield f"{instance.profile}: at {instance.start}:{instance.size} in place of {set(starts)}:{size}"


def _names_its_memory(instance: ObservedInstance, total_mib: int) -> bool:
    """Apply go-nvlib's rule: eighths of the GPU, rounded up, of its whole GiB, rounded half up, are in the name."""
    if instance.memory_mib is None or total_mib == 0:
        return True
    eighths = math.ceil(Fraction(8 * instance.memory_mib, total_mib))
    gigabytes = math.floor(Fraction(eighths * math.ceil(Fraction(total_mib, 1024)), 8) + Fraction(1, 2))
    return gigabytes == instance.profile.memory_gb


def _doubled(gpus: Sequence[ObservedGpu]) -> list[str]:
    uuids = Counter(instance.uuid for gpu in gpus for instance in gpu.instances)
    return [f"{count} devices with UUID {uuid}" for uuid, count in uuids.items() if count > 1]


def _overlaps(gpu: ObservedGpu) -> Iterator[str]:
    taken = sorted(
        {
            (instance.start, instance.start + (instance.size or 0), instance.gpu_instance)
            for instance in gpu.instances
            if instance.start is not None
        }
    )
    for (_, end, first), (start, _, second) in pairwise(taken):
        if start < end:
            yield f"GPU instances {first} and {second} overlap at {start}"


def _geometry(gpu: WantedGpu) -> str:
    instances = ", ".join(f"{count} x {profile}" for profile, count in sorted(gpu.instances.items()))
    return f"MIG {_on(gpu.enabled)}" + (f", {instances or 'no instances'}" if gpu.enabled else "")


def _on(mode: bool) -> str:
    return "on" if mode else "off"


def _why_not(gpus: Sequence[ObservedGpu], wanted: Sequence[WantedGpu]) -> list[str]:
    by_index: Mapping[int, ObservedGpu] = {gpu.index: gpu for gpu in gpus}
    waiting = [
        f"GPU {gpu.index}"
        for gpu in wanted
        if (seen := by_index.get(gpu.index)) and seen.mode != gpu.enabled and seen.pending_mode == gpu.enabled
    ]
    return [f"the MIG mode of {', '.join(waiting)} waits for a reset or reboot"] if waiting else []
