"""Creating MIG devices on a GPU: orderings are tried until the driver accepts one.

Source: NVIDIA/mig-parted v0.15.0, pkg/mig/config/config.go and pkg/types/mig_config.go.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pynvml

from conformance.sim.mig_parted.gpus import MigGpu, Offer, error_name
from conformance.sim.mig_parted.output import MigPartedError, Output, capitalized
from conformance.spec.profile import Profile

_COMPUTE_PROFILES = {1: 0, 2: 1, 3: 2, 4: 3, 6: 6, 7: 4, 8: 5}
"""Compute slices to NVML_COMPUTE_INSTANCE_PROFILE_*."""


def realise(wanted: Mapping[str, int], gpu: MigGpu, gpus: Sequence[MigGpu], output: Output) -> None:
    """Replace the instances on `gpu` by the wanted MIG devices; the driver chooses the placements.

    If no GPU of the node offers one of the profiles, the whole request counts as empty: the GPU is cleared, and that is
    a success.

    Raises:
        MigPartedError: No ordering works; the GPU is left empty, except for instances in use.
    """
    try:
        try_orderings(flatten(wanted, gpus), lambda profiles: _create_all(profiles, gpu), output)
    except MigPartedError as error:
        try:
            gpu.clear()
        except MigPartedError:
            output.log("error", f"Error clearing MIG config on GPU {gpu.index}, erroneous devices may persist")
        raise MigPartedError(f"error attempting multiple config orderings: {error}") from None


def flatten(wanted: Mapping[str, int], gpus: Sequence[MigGpu]) -> list[Profile]:
    """Return single MIG devices, large ones first; empty if a profile is offered by none of the GPUs.

    Of profiles with equal slices and attributes, the smaller memory comes first; mig-parted's order is random.
    """
    offered = [offer for gpu in gpus if gpu.capable for offer in gpu.offers]
    profiles = [(Profile.parse(name), count) for name, count in wanted.items()]
    if any(not _offering(offered, profile) for profile, _ in profiles):
        return []
    devices = [profile for profile, count in profiles for _ in range(count)]
    devices.sort(key=lambda profile: profile.memory_gb)
    devices.sort(key=lambda profile: (profile.gpu_slices, profile.compute_slices, ",".join(profile.plus)), reverse=True)
    return devices


def try_orderings(devices: list[Profile], attempt: Callable[[Sequence[Profile]], None], output: Output) -> None:
    """Call `attempt` with every distinct ordering, depth first, until one succeeds.

    Raises:
        MigPartedError: All orderings failed; the reasons are logged.
    """

    def settle(position: int) -> bool:
        if position >= len(devices):
            return _succeeds(attempt, devices, output)
        for candidate in range(position, len(devices)):
            if devices[candidate] in devices[position:candidate]:
                continue
            _swap(devices, position, candidate)
            if settle(position + 1):
                return True
            _swap(devices, position, candidate)
        return False

    if not settle(0):
        raise MigPartedError("all orderings failed")


def _succeeds(attempt: Callable[[Sequence[Profile]], None], devices: Sequence[Profile], output: Output) -> bool:
    try:
        attempt(devices)
    except MigPartedError as error:
        output.log("error", capitalized(str(error)))
        return False
    return True


def _swap(devices: list[Profile], one: int, other: int) -> None:
    devices[one], devices[other] = devices[other], devices[one]


def _offering(offers: Sequence[Offer], profile: Profile) -> list[Offer]:
    """Return the offers that can hold a MIG device of the profile.

    A compute instance fills its GPU instance, or at most half of it, rounded up.
    """
    fits = profile.is_full or 2 * profile.compute_slices <= profile.gpu_slices + 1
    whole = replace(profile, compute_slices=profile.gpu_slices)
    return [offer for offer in offers if offer.profile == whole and fits]


def _create_all(profiles: Sequence[Profile], gpu: MigGpu) -> None:
    try:
        gpu.clear()
    except MigPartedError as error:
        raise MigPartedError(f"error clearing MigConfig: {error}") from None
    shared: tuple[Offer, Any] | None = None
    for profile in profiles:
        shared = _create(profile, gpu, shared)


def _create(profile: Profile, gpu: MigGpu, shared: tuple[Offer, Any] | None) -> tuple[Offer, Any]:
    """Create one MIG device, in the GPU instance of the previous one if that has the profile and room."""
    offers = _offering(gpu.offers, profile)
    if not offers:
        raise MigPartedError(f"error getting GPU instance profile info for '{profile}': ERROR_NOT_SUPPORTED")
    offer = offers[0]
    if shared is not None and shared[0] == offer and _has_room(shared[1], profile, gpu):
        return shared
    return offer, _create_instance(profile, gpu, offer)


def _has_room(instance: Any, profile: Profile, gpu: MigGpu) -> bool:
    """Try to create the MIG device in an existing GPU instance."""
    try:
        _create_compute_instance(profile, gpu, instance)
    except pynvml.NVMLError:
        return False
    return True


def _create_instance(profile: Profile, gpu: MigGpu, offer: Offer) -> Any:
    try:
        instance = gpu.nvml.nvmlDeviceCreateGpuInstance(gpu.handle, offer.id)
    except pynvml.NVMLError as error:
        raise MigPartedError(f"error creating GPU instance for '{profile}': {error_name(error)}") from None
    try:
        _create_compute_instance(profile, gpu, instance)
    except pynvml.NVMLError as error:
        raise MigPartedError(f"error creating Compute instance for '{profile}': {error_name(error)}") from None
    return instance


def _create_compute_instance(profile: Profile, gpu: MigGpu, instance: Any) -> None:
    number = _COMPUTE_PROFILES[profile.compute_slices]
    engine = pynvml.NVML_COMPUTE_INSTANCE_ENGINE_PROFILE_SHARED
    info = gpu.nvml.nvmlGpuInstanceGetComputeInstanceProfileInfo(instance, number, engine)
    gpu.nvml.nvmlGpuInstanceCreateComputeInstance(instance, info.id)
