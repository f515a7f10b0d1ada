"""The profiles that a GPU offers: those of its model in models.yaml, or those that NVML reports for other GPUs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from conformance.expect.observed import ObservedGpu
from conformance.spec.models import ProfileRow, model_of
from conformance.spec.profile import Profile

_ONE_SLICE: Final = 0
"""NVML_GPU_INSTANCE_PROFILE_1_SLICE: the plain 1g profile, without double memory and without attributes."""


def profile_counts(gpu: ObservedGpu) -> Mapping[str, int]:
    """Return the largest count of each GPU-instance profile by name; empty for a GPU that is not MIG-capable.

    The counts come from models.yaml, because some drivers report wrong ones. They come from the GPU itself if the table
    lacks the model or has only the documentation's figures (placements not confirmed): driver generations differ there.
    """
    if not gpu.mig_capable:
        return {}
    found = model_of(gpu.name)
    if found is None or (gpu.profiles and "placements" not in found[0].confirmed_by):
        return {name: profile.max_instances for name, profile in gpu.profiles.items()}
    return {row.name: row.max_instances for row in found[0].profiles}


def profile_row(gpu_name: str, profile: Profile) -> ProfileRow | None:
    """Return the row of a MIG device's GPU instance in models.yaml; None if the table lacks the model or profile."""
    found = model_of(gpu_name)
    if found is None:
        return None
    instance = gpu_instance_profile(profile)
    return next((row for row in found[0].profiles if row.profile == instance), None)


def multiprocessors(gpu_name: str, profile: Profile) -> int | None:
    """Return how many multiprocessors a MIG device has by models.yaml; None if no source confirms a figure.

    A device with one slice has those of the plain 1g profile, even if its GPU instance has more of them because of its
    double memory: docs/reference/mig-manager.md#compute-instances.
    """
    found, row = model_of(gpu_name), profile_row(gpu_name, profile)
    if found is None or row is None or not profile.is_full:
        return None
    if profile.compute_slices == 1:
        row = next(plain for plain in found[0].profiles if plain.nvml_profile == _ONE_SLICE)
    return None if "multiprocessors" in row.assumed else row.multiprocessors


def gpu_instance_profile(profile: Profile) -> Profile:
    """Return the profile of the GPU instance that holds a MIG device: `3g.40gb` for `1c.3g.40gb`."""
    return Profile(profile.gpu_slices, profile.gpu_slices, profile.memory_gb, profile.plus, profile.minus)


def offers(gpu: ObservedGpu, profile: Profile) -> bool:
    """Return whether mig-parted accepts the profile on this GPU.

    mig-parted lists a compute instance that does not fill its GPU instance only up to about half of the slices.
    Source: go-nvlib 0.12.0, pkg/nvlib/device/device.go.
    """
    fits = profile.is_full or 2 * profile.compute_slices <= profile.gpu_slices + 1
    return fits and str(gpu_instance_profile(profile)) in profile_counts(gpu)


def offered_by_any(gpus: Iterable[ObservedGpu], profile: Profile) -> bool:
    """Return whether at least one GPU of the node offers the profile."""
    return any(offers(gpu, profile) for gpu in gpus)
