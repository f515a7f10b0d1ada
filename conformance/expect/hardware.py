"""D-01: the GPUs have the geometry of the configuration, and every MIG device matches its profile."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict
from fractions import Fraction
from itertools import pairwise
from typing import Final

from conformance.expect.catalogue import gpu_instance_profile, multiprocessors, offered_by_any, profile_row
from conformance.expect.compare import compare_mappings
from conformance.expect.finding import CheckContext, ConformanceError, Finding
from conformance.expect.geometry import WantedGpu, observed_geometry
from conformance.expect.observed import ObservedGpu, ObservedInstance, ObservedProfile
from conformance.spec.models import ProfileRow, model_of
from conformance.spec.profile import Profile

_UNREAD: Final = ObservedProfile(max_instances=0)
"""Stands for a profile that NVML did not report: no figure is known, so none is compared."""
_DRIVERS_DIFFER: Final = Fraction(8, 100)
"""Largest relative difference in the memory that driver branches report for the same GPU (models.yaml)."""


def check_geometry(context: CheckContext, gpus: Sequence[ObservedGpu], wanted: Sequence[WantedGpu]) -> None:
    """Check the MIG mode and the MIG devices of every GPU, and that no GPU instance lacks a compute instance.

    Raises:
        ConformanceError: The geometry of a GPU differs; the message shows every GPU that does.
    """
    expected = {f"GPU {gpu.index}": _geometry(gpu) for gpu in wanted}
    found = {
        f"GPU {seen.index}": _geometry(seen) + _bare(gpu)
        for gpu, seen in zip(gpus, observed_geometry(gpus), strict=True)
    }
    if finding := compare_mappings(expected, found, only_differences=True):
        raise ConformanceError(context, "geometry", finding, _likely_causes(gpus, wanted))


def check_instances(context: CheckContext, gpus: Sequence[ObservedGpu]) -> None:
    """Check every MIG device by itself: placement, overlap, slices, memory, multiprocessors, engines, unique UUID.

    The figures must match models.yaml and what the driver reports for the profile. Figures that are `assumed` in the
    table are not compared, nor those that could not be read.

    Raises:
        ConformanceError: A device does not match its profile; the message lists every deviation.
    """
    wrong = [*_duplicate_uuids(gpus)]
    for gpu in gpus:
        wrong += [f"GPU {gpu.index} {text}" for text in (*_wrong_memory(gpu), *_overlaps(gpu), *_deviations(gpu))]
    if wrong:
        expected = "every device matches its profile and has a legal placement of its own"
        raise ConformanceError(context, "MIG devices", Finding((expected,), tuple(wrong)))


def check_requested(context: CheckContext, gpus: Sequence[ObservedGpu], requested: Sequence[Profile]) -> None:
    """Check that the node has a MIG device of every profile that the configuration asks for.

    Raises:
        ConformanceError: The node has none of a profile.
    """
    present = {instance.profile for gpu in gpus for instance in gpu.instances}
    expected = {str(profile): "MIG devices on the node" for profile in requested}
    found = {name: text for name, text in expected.items() if Profile.parse(name) in present}
    if finding := compare_mappings(expected, found):
        raise ConformanceError(context, "requested profiles", finding, _not_offered(gpus, requested))


def check_mode_settled(context: CheckContext, gpus: Sequence[ObservedGpu]) -> None:
    """Check that no change of the MIG mode is pending until a reset or reboot.

    Raises:
        ConformanceError: The pending mode of a GPU differs from its current mode.
    """
    expected = {f"GPU {gpu.index}": f"pending mode {_on(gpu.mode)}" for gpu in gpus}
    found = {f"GPU {gpu.index}": f"pending mode {_on(gpu.pending_mode)}" for gpu in gpus}
    if finding := compare_mappings(expected, found, only_differences=True):
        raise ConformanceError(context, "MIG mode", finding, ("the GPU needs a reset, or the node a reboot",))


def deviations(gpu: ObservedGpu, instance: ObservedInstance) -> Iterator[str]:
    """Yield a phrase for every figure of a MIG device that does not match its profile."""
    profile, row = instance.profile, profile_row(gpu.name, instance.profile)
    offered = gpu.profiles.get(str(gpu_instance_profile(profile)), _UNREAD)
    slices = (instance.gpu_slices, instance.compute_slices)
    if slices != (profile.gpu_slices, profile.compute_slices):
        yield f"{profile}: slices of the GPU instance {slices[0]}, of the compute instance {slices[1]}"
    if not _names_its_memory(instance, gpu.memory_mib):
        yield f"{profile}: {instance.memory_mib} of {gpu.memory_mib} MiB do not give this name"
    elif None not in (instance.memory_mib, offered.memory_mib) and instance.memory_mib != offered.memory_mib:
        yield f"{profile}: {instance.memory_mib} MiB, but {offered.memory_mib} in the driver's profile"
    yield from _wrong_multiprocessors(gpu.name, instance)
    yield from _wrong_engines(offered, instance)
    yield from _wrong_placement(_legal_placements(row, offered), instance)


def _deviations(gpu: ObservedGpu) -> Iterator[str]:
    for instance in gpu.instances:
        yield from deviations(gpu, instance)


def _wrong_memory(gpu: ObservedGpu) -> Iterator[str]:
    """Compare the total memory of the GPU with the table; the names of MIG devices show only shares of it."""
    found = model_of(gpu.name)
    if found is None or gpu.memory_mib == 0 or "memory_total_mib" in found[0].assumed:
        return
    total = found[0].memory_total_mib
    if abs(gpu.memory_mib - total) > total * _DRIVERS_DIFFER:
        yield f"{gpu.memory_mib} MiB in total instead of about {total}"


def _wrong_engines(offered: ObservedProfile, instance: ObservedInstance) -> Iterator[str]:
    if instance.engines is None or offered.engines is None:
        return
    offers = asdict(offered.engines)
    for kind, count in asdict(instance.engines).items():
        if count != offers[kind]:
            yield f"{instance.profile}: {kind} engines {count}, but {offers[kind]} in the driver's profile"


def _wrong_multiprocessors(gpu_name: str, instance: ObservedInstance) -> Iterator[str]:
    known = multiprocessors(gpu_name, instance.profile)
    if None not in (instance.multiprocessors, known) and instance.multiprocessors != known:
        yield f"{instance.profile}: {instance.multiprocessors} multiprocessors instead of {known}"


def _wrong_placement(places: Collection[tuple[int, int]] | None, instance: ObservedInstance) -> Iterator[str]:
    if instance.start is None or places is None or (instance.start, instance.size) in places:
        return
    legal = ", ".join(f"{start}:{size}" for start, size in sorted(places)) or "none"
    yield f"{instance.profile}: placement {instance.start}:{instance.size}, legal {legal}"


def _legal_placements(row: ProfileRow | None, offered: ObservedProfile) -> Collection[tuple[int, int]] | None:
    """Return start and size of the placements that table and driver both allow; None if neither lists any."""
    if row is None or "placements" in row.assumed:
        return offered.placements
    in_table = {(start, row.placements.size) for start in row.placements.starts}
    return in_table if offered.placements is None else in_table & offered.placements


def _names_its_memory(instance: ObservedInstance, total_mib: int) -> bool:
    """Return whether the memory gives the number in the profile's name; True if one of the figures is unknown.

    The rule of go-nvlib: round the share of the total memory up to eighths and the total up to whole GiB, multiply the
    two, and round half up.
    """
    if instance.memory_mib is None or total_mib == 0:
        return True
    eighths = math.ceil(Fraction(8 * instance.memory_mib, total_mib))
    gigabytes = math.floor(Fraction(eighths * math.ceil(Fraction(total_mib, 1024)), 8) + Fraction(1, 2))
    return gigabytes == instance.profile.memory_gb


def _duplicate_uuids(gpus: Sequence[ObservedGpu]) -> list[str]:
    uuids = Counter(instance.uuid for gpu in gpus for instance in gpu.instances)
    return [f"{count} devices with UUID {uuid}" for uuid, count in uuids.items() if count > 1]


def _overlaps(gpu: ObservedGpu) -> Iterator[str]:
    devices = {
        (instance.start, instance.start + (instance.size or 0), instance.gpu_instance)
        for instance in gpu.instances
        if instance.start is not None
    }
    taken = sorted(devices | {(bare.start, bare.start + bare.size, bare.id) for bare in gpu.bare_instances})
    for (_, end, first), (start, _, second) in pairwise(taken):
        if start < end:
            yield f"GPU instances {first} and {second} overlap at {start}"


def _geometry(gpu: WantedGpu) -> str:
    instances = ", ".join(f"{count} x {profile}" for profile, count in sorted(gpu.instances.items()))
    return f"MIG {_on(gpu.enabled)}" + (f", {instances or 'no instances'}" if gpu.enabled else "")


def _bare(gpu: ObservedGpu) -> str:
    return "".join(f", GPU instance {bare.id} ({bare.profile}) without compute instance" for bare in gpu.bare_instances)


def _on(mode: bool) -> str:
    return "on" if mode else "off"


def _not_offered(gpus: Sequence[ObservedGpu], requested: Sequence[Profile]) -> list[str]:
    """Name the profiles that no GPU offers; mig-parted v0.15.0, pkg/mig/config: it then deletes all instances."""
    names = ", ".join(str(profile) for profile in requested if not offered_by_any(gpus, profile))
    return [f"no GPU of the node offers {names}: mig-parted deletes all instances and reports success"] if names else []


def _likely_causes(gpus: Sequence[ObservedGpu], wanted: Sequence[WantedGpu]) -> list[str]:
    by_index: Mapping[int, ObservedGpu] = {gpu.index: gpu for gpu in gpus}
    waiting = [
        f"GPU {gpu.index}"
        for gpu in wanted
        if (seen := by_index.get(gpu.index)) and seen.mode != gpu.enabled and seen.pending_mode == gpu.enabled
    ]
    return [f"the new MIG mode of {', '.join(waiting)} is pending until a reset or reboot"] if waiting else []
