"""D-01: the hardware carries what the configuration asks for, in legal places and with the sizes of its profiles."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from fractions import Fraction
from itertools import pairwise
from typing import Final

from conformance.expect.catalogue import gpu_instance_profile, profile_row
from conformance.expect.compare import compare_mappings
from conformance.expect.finding import CheckContext, ConformanceError, Finding
from conformance.expect.geometry import WantedGpu, observed_geometry
from conformance.expect.observed import ObservedGpu, ObservedInstance, ObservedProfile
from conformance.spec.models import ProfileRow, model_of

_UNREAD: Final = ObservedProfile(max_instances=0)
_DRIVERS_DIFFER: Final = Fraction(8, 100)
"""By how much the memory that drivers report of the same part differs at most (models.yaml)."""


def check_geometry(context: CheckContext, gpus: Sequence[ObservedGpu], wanted: Sequence[WantedGpu]) -> None:
    """Compare MIG mode and MIG devices of every GPU with what the configuration asks for.

    Raises:
        ConformanceError: A GPU differs; every GPU that does is shown.
    """
    expected = {f"GPU {gpu.index}": _geometry(gpu) for gpu in wanted}
    found = {f"GPU {gpu.index}": _geometry(gpu) for gpu in observed_geometry(gpus)}
    if finding := compare_mappings(expected, found, only_differences=True):
        raise ConformanceError(context, "geometry", finding, _why_not(gpus, wanted))


def check_instances(context: CheckContext, gpus: Sequence[ObservedGpu]) -> None:
    """Check every MIG device in itself: placement, no overlap, slices, memory, multiprocessors, engines, unique UUIDs.

    It must be what the table of models says, and what the driver itself says of the profile. Figures that nobody has
    confirmed for the model are not compared, nor those that the reader may not know.

    Raises:
        ConformanceError: A device is not what its profile says; all such are listed.
    """
    wrong = [*_doubled(gpus)]
    for gpu in gpus:
        wrong += [f"GPU {gpu.index} {text}" for text in (*_other_memory(gpu), *_overlaps(gpu), *_deviations(gpu))]
    if wrong:
        raise ConformanceError(
            context, "MIG devices", Finding(("each as its profile says, at a legal place of its own",), tuple(wrong))
        )


def check_mode_settled(context: CheckContext, gpus: Sequence[ObservedGpu]) -> None:
    """Check that no GPU waits for a reset or reboot to change its MIG mode.

    Raises:
        ConformanceError: A GPU's pending mode differs from its current one.
    """
    expected = {f"GPU {gpu.index}": f"pending mode {_on(gpu.mode)}" for gpu in gpus}
    found = {f"GPU {gpu.index}": f"pending mode {_on(gpu.pending_mode)}" for gpu in gpus}
    if finding := compare_mappings(expected, found, only_differences=True):
        raise ConformanceError(context, "MIG mode", finding, ("the GPU needs a reset or the node a reboot",))


def deviations(gpu: ObservedGpu, instance: ObservedInstance) -> Iterator[str]:
    """Say in what a MIG device differs from its profile, each figure once; nothing where it does not."""
    profile, row = instance.profile, profile_row(gpu.name, instance.profile)
    offered = gpu.profiles.get(str(gpu_instance_profile(profile)), _UNREAD)
    slices = (instance.gpu_slices, instance.compute_slices)
    if slices != (profile.gpu_slices, profile.compute_slices):
        yield f"{profile}: {slices[0]} and {slices[1]} slices"
    if not _names_its_memory(instance, gpu.memory_mib):
        yield f"{profile}: {instance.memory_mib} MiB of {gpu.memory_mib}"
    elif None not in (instance.memory_mib, offered.memory_mib) and instance.memory_mib != offered.memory_mib:
        yield f"{profile}: {instance.memory_mib} MiB where the driver offers {offered.memory_mib}"
    if row is not None:
        yield from _other_multiprocessors(row, instance)
    yield from _other_engines(offered, instance)
    yield from _other_placement(_places(row, offered), instance)


def _deviations(gpu: ObservedGpu) -> Iterator[str]:
    for instance in gpu.instances:
        yield from deviations(gpu, instance)


def _other_memory(gpu: ObservedGpu) -> Iterator[str]:
    """Compare the whole memory, of which MIG devices have their share, with that of the model."""
    found = model_of(gpu.name)
    if found is None or gpu.memory_mib == 0 or "memory_total_mib" in found[0].assumed:
        return
    total = found[0].memory_total_mib
    if abs(gpu.memory_mib - total) > total * _DRIVERS_DIFFER:
        yield f"{gpu.memory_mib} MiB in all in place of about {total}"


def _other_engines(offered: ObservedProfile, instance: ObservedInstance) -> Iterator[str]:
    if instance.engines is None or offered.engines is None:
        return
    offers = asdict(offered.engines)
    for kind, count in asdict(instance.engines).items():
        if count != offers[kind]:
            yield f"{instance.profile}: {kind} engines {count} where the driver offers {offers[kind]}"


def _other_multiprocessors(row: ProfileRow, instance: ObservedInstance) -> Iterator[str]:
    known = instance.multiprocessors is not None and "multiprocessors" not in row.assumed
    if known and instance.profile.is_full and instance.multiprocessors != row.multiprocessors:
        yield f"{instance.profile}: {instance.multiprocessors} multiprocessors in place of {row.multiprocessors}"


def _other_placement(places: Collection[tuple[int, int]] | None, instance: ObservedInstance) -> Iterator[str]:
    if instance.start is None or places is None or (instance.start, instance.size) in places:
        return
    legal = ", ".join(f"{start}:{size}" for start, size in sorted(places)) or "nowhere"
    yield f"{instance.profile}: at {instance.start}:{instance.size} in place of {legal}"


def _places(row: ProfileRow | None, offered: ObservedProfile) -> Collection[tuple[int, int]] | None:
    """Return start and size of every place that both the table and the driver call legal; None where neither speaks."""
    if row is None or "placements" in row.assumed:
        return offered.placements
    of_table = {(start, row.placements.size) for start in row.placements.starts}
    return of_table if offered.placements is None else of_table & offered.placements


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
