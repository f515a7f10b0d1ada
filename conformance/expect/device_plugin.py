"""The device plugin: what its version and settings change, and the geometries that it cannot advertise.

Sources: NVIDIA/k8s-device-plugin v0.20.0, internal/rm and internal/cdi; for older versions the description in pull
request 1807, and the vendored nvidia-container-toolkit and container-device-interface of each tag.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from conformance.expect.catalogue import gpu_instance_profile
from conformance.expect.geometry import WantedGpu
from conformance.spec.models import load_models
from conformance.spec.names import Strategy
from conformance.spec.profile import Profile
from conformance.spec.releases import at_least

WHOLE_NAME_PATTERNS: Final = "v0.20.0"
"""First device plugin that compares whole profile names: a MIG device counts only for the resource of its profile."""
CDI_NEEDS_DEVICES: Final = "v0.18.0"
"""First device plugin that leaves GPUs in MIG mode out of its CDI specification, and whose CDI library refuses one
without devices."""
_COMPARED: Final = ("memory_mib", "multiprocessors", "engines")


@dataclass(frozen=True)
class DevicePlugin:
    """The device plugin of a cluster, as far as expectations depend on it.

    Attributes:
        version: Image tag.
        cdi: Whether it passes devices to containers through CDI, perhaps in addition to other ways.
    """

    version: str
    cdi: bool = False

    def is_at_least(self, version: str) -> bool:
        """Return whether it has this version or a newer one.

        Raises:
            VersionError: Its tag is not a version.
        """
        return at_least(self.version, version)


class Refusal(StrEnum):
    """Why the device plugin exits and advertises nothing; the value is part of its log message."""

    EMPTY_GPU = "no MIG devices configured"
    """`single`: a GPU in MIG mode has no MIG devices."""
    UNLIKE_DEVICES = "more than one MIG device type"
    """`single`: the MIG devices have several sizes or different engines, or are on GPUs of several models."""
    MIXED_MODES = "same migEnabled value"
    """`single`: some GPUs are in MIG mode and others are not."""
    SMALLER_COMPUTE_INSTANCE = "does not match any resource patterns"
    """`mixed`, from v0.20.0: a compute instance does not fill its GPU instance."""
    EMPTY_CDI = "invalid CDI Spec: invalid spec, no devices"
    """`mixed` and `none` with CDI, from v0.18.0: every GPU is in MIG mode, and none has MIG devices."""


def refusal(gpus: Sequence[WantedGpu], strategy: Strategy, plugin: DevicePlugin) -> Refusal | None:
    """Return why the device plugin exits on this geometry; None if it can advertise it.

    If there are several reasons, the result is the one that the plugin finds first.

    Args:
        gpus: The geometry of the node.
        strategy: Strategy of the cluster.
        plugin: The device plugin.

    Raises:
        VersionError: The tag of the plugin is not a version.
    """
    sliced = [gpu for gpu in gpus if gpu.enabled]
    if strategy is Strategy.SINGLE and sliced:
        return _refusal_of_single(gpus, sliced)
    partial = any(not profile.is_full for gpu in sliced for profile in gpu.instances)
    if strategy is Strategy.MIXED and partial and plugin.is_at_least(WHOLE_NAME_PATTERNS):
        return Refusal.SMALLER_COMPUTE_INSTANCE
    without_devices = bool(gpus) and all(gpu.enabled and not gpu.instances for gpu in gpus)
    refuses = without_devices and plugin.cdi and plugin.is_at_least(CDI_NEEDS_DEVICES)
    return Refusal.EMPTY_CDI if refuses else None


def _refusal_of_single(gpus: Sequence[WantedGpu], sliced: Sequence[WantedGpu]) -> Refusal | None:
    # In the order in which the device plugin checks.
    if any(not gpu.instances for gpu in sliced):
        return Refusal.EMPTY_GPU
    if len({_attributes(gpu, profile) for gpu in sliced for profile in gpu.instances}) > 1:
        return Refusal.UNLIKE_DEVICES
    return Refusal.MIXED_MODES if len(sliced) < len(gpus) else None


def _attributes(gpu: WantedGpu, profile: Profile) -> tuple[object, ...]:
    """Return what the plugin compares under `single`: the attributes in NVML, of which the name is none.

    1g.24gb and 1g.24gb+gfx have the same. Where no source confirms the figures, profiles differ by name.
    """
    model, instance = load_models().get(gpu.model), gpu_instance_profile(profile)
    row = next((row for row in model.profiles if row.profile == instance), None) if model else None
    if row is None or not row.assumed.isdisjoint(_COMPARED):
        return (gpu.model, profile)
    return (gpu.model, profile.compute_slices, profile.gpu_slices, row.memory_mib, row.multiprocessors, row.engines)


def resource_name(profile: Profile, plugin: DevicePlugin) -> str:
    """Return the resource of a MIG device under `mixed`, whether or not the plugin can advertise it.

    Before v0.20.0 the pattern of `1g.10gb` also matched longer names such as `1g.10gb+me`, and was tried first.
    """
    if plugin.is_at_least(WHOLE_NAME_PATTERNS):
        return profile.resource
    return Profile(profile.gpu_slices, profile.gpu_slices, profile.memory_gb).resource
