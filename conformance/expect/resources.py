"""D-06, D-07, D-19: the extended resources that a node advertises.

Source: NVIDIA/k8s-device-plugin v0.20.0, internal/rm; the rule before it is that of pull request 1807.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from conformance.expect.compare import compare_mappings
from conformance.expect.finding import CheckContext, ConformanceError
from conformance.expect.geometry import WantedGpu
from conformance.spec.names import DEVICE_PLUGIN_APP, GPU_RESOURCE, PREFIX, Strategy
from conformance.spec.profile import Profile
from conformance.spec.releases import at_least

WHOLE_NAME_PATTERNS: Final = "v0.20.0"
"""Device plugin from which a MIG device is advertised only under its own profile's resource."""


class Refusal(StrEnum):
    """Why the device plugin advertises nothing at all and exits: what its log holds."""

    EMPTY_GPU = "no MIG devices configured"
    UNLIKE_DEVICES = "more than one MIG device type"
    MIXED_MODES = "same migEnabled value"
    SMALLER_COMPUTE_INSTANCE = "does not match any resource patterns"


def refusal(gpus: Sequence[WantedGpu], strategy: Strategy, device_plugin: str) -> Refusal | None:
    """Say why the device plugin exits on this geometry, the first reason as it finds them; None where it does not."""
    sliced = [gpu for gpu in gpus if gpu.enabled]
    if strategy is Strategy.SINGLE and sliced:
        return _refusal_of_single(gpus, sliced)
    if strategy is Strategy.MIXED and at_least(device_plugin, WHOLE_NAME_PATTERNS):
        whole = all(profile.is_full for gpu in sliced for profile in gpu.instances)
        return None if whole else Refusal.SMALLER_COMPUTE_INSTANCE
    return None


def _refusal_of_single(gpus: Sequence[WantedGpu], sliced: Sequence[WantedGpu]) -> Refusal | None:
    if any(not gpu.instances for gpu in sliced):
        return Refusal.EMPTY_GPU
    if len({(profile, gpu.model) for gpu in sliced for profile in gpu.instances}) > 1:
        return Refusal.UNLIKE_DEVICES
    return Refusal.MIXED_MODES if len(sliced) < len(gpus) else None


def expected_resources(gpus: Sequence[WantedGpu], strategy: Strategy, device_plugin: str) -> Mapping[str, int]:
    """Return the counts of all `nvidia.com/` resources above zero; empty where the plugin advertises nothing.

    Args:
        gpus: The geometry of the node.
        strategy: Strategy of the cluster.
        device_plugin: Tag of the device plugin, which decides about names that are not plain profiles.

    Raises:
        VersionError: The tag is no version.
    """
    if refusal(gpus, strategy, device_plugin):
        return {}
    sliced = [gpu for gpu in gpus if gpu.enabled]
    if strategy is Strategy.NONE or not sliced:
        return above_zero({GPU_RESOURCE: len(gpus)})
    if strategy is Strategy.SINGLE:
        return above_zero({GPU_RESOURCE: sum(sum(gpu.instances.values()) for gpu in sliced)})
    counts: Counter[str] = Counter({GPU_RESOURCE: len(gpus) - len(sliced)})
    for gpu in sliced:
        for profile, count in gpu.instances.items():
            counts[_resource(profile, device_plugin)] += count
    return above_zero(counts)


def check_resources(
    context: CheckContext,
    found: Mapping[str, int],
    expected: Mapping[str, int],
    *,
    other_strategy: Mapping[str, int] | None = None,
) -> None:
    """Compare `allocatable` (or `capacity`, once its grace is over) with what must be advertised.

    A resource of count 0 is the same as none: the kubelet keeps the names of removed resources. Resources outside
    `nvidia.com/` are not looked at.

    Args:
        context: Where.
        found: All counts of the node.
        expected: What `expected_resources` gave.
        other_strategy: What the same geometry gives under the other strategy, to recognise a plugin of old.

    Raises:
        ConformanceError: Any resource differs.
    """
    advertised = above_zero({name: count for name, count in found.items() if name.startswith(PREFIX)})
    if finding := compare_mappings(above_zero(expected), advertised):
        raise ConformanceError(context, "resources", finding, _likely_causes(context, advertised, other_strategy))


@dataclass(frozen=True)
class Leftover:
    """A resource that a node no longer advertised when it left a cell, and that kubelet still counted in its capacity.

    Times in seconds of the cluster's clock.

    Attributes:
        resource: Name of the resource.
        count: The capacity when the node left the cell.
        gone: When its allocatable count fell to 0, or when the watch began, where that was later.
        forgotten: When its capacity fell to 0; None where it did not while the run lasted.
        back: When it was advertised again, in another cell; None where it was not.
    """

    resource: str
    count: int
    gone: float
    forgotten: float | None
    back: float | None

    def outlived(self, grace: float, now: float) -> float | None:
        """Seconds by which it outlived the grace; None where it did not, or was advertised again meanwhile."""
        ends = [time for time in (self.forgotten, self.back) if time is not None]
        over = min(ends, default=now) - self.gone - grace
        return over if over > 0 else None


def check_capacity(
    context: CheckContext,
    found: Mapping[str, int],
    expected: Mapping[str, int],
    leftovers: Sequence[Leftover],
    *,
    grace: float,
    now: float,
) -> None:
    """Compare capacity with what must be advertised; what is gone may be counted until kubelet's grace is over.

    Args:
        context: Where.
        found: Capacity when the node left the cell.
        expected: What must be advertised there.
        leftovers: What `found` counts beside that.
        grace: Seconds for which kubelet may count a resource that is gone.
        now: When the run ended to watch.

    Raises:
        ConformanceError: A count differs, or a resource outlived the grace.
    """
    late = {one.resource for one in leftovers if one.outlived(grace, now) is not None}
    forgiven = {one.resource for one in leftovers} - late
    likely = [f"kubelet keeps {name}, which is gone, for longer than {grace:.0f} s" for name in sorted(late)]
    counted = above_zero({name: n for name, n in found.items() if name.startswith(PREFIX) and name not in forgiven})
    if finding := compare_mappings(above_zero(expected), counted):
        raise ConformanceError(context, "capacity", finding, likely)


def _resource(profile: Profile, device_plugin: str) -> str:
    """Name the resource: before v0.20.0 the plain profile's pattern matched within longer names and came first."""
    if at_least(device_plugin, WHOLE_NAME_PATTERNS):
        return profile.resource
    return Profile(profile.gpu_slices, profile.gpu_slices, profile.memory_gb).resource


def above_zero(counts: Mapping[str, int]) -> dict[str, int]:
    """Leave out what is 0: kubelet keeps the names of resources that are gone (kubernetes issue 92396)."""
    return {name: count for name, count in counts.items() if count > 0}


def _likely_causes(
    context: CheckContext, found: Mapping[str, int], other_strategy: Mapping[str, int] | None
) -> list[str]:
    if other_strategy is not None and found == other_strategy:
        return [f"the plugin still runs with MIG_STRATEGY={context.strategy.other} (DaemonSet {DEVICE_PLUGIN_APP})"]
    if not found:
        return [f"the device plugin does not run or crash-loops (DaemonSet {DEVICE_PLUGIN_APP})"]
    return []
