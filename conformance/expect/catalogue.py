"""What a GPU offers: the profiles of its model, or those that NVML names where the model is not in the table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from conformance.expect.observed import ObservedGpu
from conformance.spec.models import ProfileRow, model_of
from conformance.spec.profile import Profile


def profile_counts(gpu: ObservedGpu) -> Mapping[str, int]:
    """Return the GPU-instance profiles by name with the largest count of each; empty for a GPU without MIG.

    The table comes first, since some drivers misreport counts; where it rests on documentation alone (models without
    confirmed placements), driver generations differ and the GPU's own answer counts.
    """
    if not gpu.mig_capable:
        return {}
    found = model_of(gpu.name)
    if found is None or (gpu.profiles and "placements" not in found[0].confirmed_by):
        return {name: profile.max_instances for name, profile in gpu.profiles.items()}
    return {row.name: row.max_instances for row in found[0].profiles}


def profile_row(gpu_name: str, profile: Profile) -> ProfileRow | None:
    """Return the table's row of the GPU instance behind a MIG device; None where the table has none."""
    found = model_of(gpu_name)
    if found is None:
        return None
    instance = gpu_instance_profile(profile)
    return next((row for row in found[0].profiles if row.profile == instance), None)


def gpu_instance_profile(profile: Profile) -> Profile:
    """Return the profile of the whole GPU instance: `3g.40gb` for `1c.3g.40gb`."""
    return Profile(profile.gpu_slices, profile.gpu_slices, profile.memory_gb, profile.plus, profile.minus)


def offers(gpu: ObservedGpu, profile: Profile) -> bool:
    """Tell whether mig-parted finds the profile on the GPU.

    Compute instances smaller than their GPU instance are listed where they are at most about half of it.
    Source: go-nvlib 0.12.0, pkg/nvlib/device/device.go.
    """
    fits = profile.is_full or 2 * profile.compute_slices <= profile.gpu_slices + 1
    return fits and str(gpu_instance_profile(profile)) in profile_counts(gpu)


def offered_by_any(gpus: Iterable[ObservedGpu], profile: Profile) -> bool:
    """Tell whether any GPU of the node offers the profile."""
    return any(offers(gpu, profile) for gpu in gpus)
