"""D-06, D-07, D-19: the extended resources that a node advertises.

Source: NVIDIA/k8s-device-plugin v0.20.0, internal/rm.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from conformance.expect.compare import compare_mappings
from conformance.expect.device_plugin import DevicePlugin, refusal, resource_name
from conformance.expect.finding import CheckContext, ConformanceError
from conformance.expect.geometry import WantedGpu
from conformance.spec.names import DEVICE_PLUGIN_APP, GPU_RESOURCE, PREFIX, Strategy


def expected_resources(gpus: Sequence[WantedGpu], strategy: Strategy, plugin: DevicePlugin) -> Mapping[str, int]:
    """Return the `nvidia.com/` resources that the node must advertise; empty if the device plugin advertises nothing.

    Args:
        gpus: The geometry of the node.
        strategy: Strategy of the cluster.
        plugin: The device plugin; the resource names of some profiles depend on its version.

    Returns:
        Resource name to count; counts of 0 are left out.

    Raises:
        VersionError: The tag of the plugin is not a version.
    """
    if refusal(gpus, strategy, plugin):
        return {}
    sliced = [gpu for gpu in gpus if gpu.enabled]
    if strategy is Strategy.NONE or not sliced:
        return above_zero({GPU_RESOURCE: len(gpus)})
    if strategy is Strategy.SINGLE:
        return above_zero({GPU_RESOURCE: sum(sum(gpu.instances.values()) for gpu in sliced)})
    counts: Counter[str] = Counter({GPU_RESOURCE: len(gpus) - len(sliced)})
    for gpu in sliced:
        for profile, count in gpu.instances.items():
            counts[resource_name(profile, plugin)] += count
    return above_zero(counts)


def check_resources(
    context: CheckContext,
    found: Mapping[str, int],
    expected: Mapping[str, int],
    *,
    other_strategy: Mapping[str, int] | None = None,
) -> None:
    """Compare the node's allocatable resources with those that it must advertise.

    A count of 0 is the same as no resource, because kubelet keeps the names of resources that are gone. Resources
    outside `nvidia.com/` are ignored.

    Args:
        context: Node and state that the check is about.
        found: Resource name to allocatable count.
        expected: Result of `expected_resources`.
        other_strategy: The same for the other strategy, to recognise a plugin that still uses it; None to leave it out.

    Raises:
        ConformanceError: A count differs.
    """
    advertised = above_zero({name: count for name, count in found.items() if name.startswith(PREFIX)})
    if finding := compare_mappings(above_zero(expected), advertised):
        raise ConformanceError(context, "resources", finding, _likely_causes(context, advertised, other_strategy))


@dataclass(frozen=True)
class Leftover:
    """A resource that kubelet still counted in capacity when the node left a cell, although it was not allocatable.

    Times are in seconds of the cluster's clock.

    Attributes:
        resource: Name of the resource.
        count: Capacity when the node left the cell.
        gone: When the allocatable count fell to 0, or when the watch began if that was later.
        forgotten: When the capacity fell to 0; None if it did not before the run ended.
        back: When the resource was advertised again, in another cell; None if it was not.
        away: From when until when the node was not Ready: meanwhile no kubelet could write the capacity.
    """

    resource: str
    count: int
    gone: float
    forgotten: float | None
    back: float | None
    away: tuple[tuple[float, float], ...] = ()

    def outlived(self, grace: float, now: float) -> float | None:
        """Return for how many seconds kubelet counted the resource beyond the grace; None if it did not.

        The time ends when the capacity falls to 0 or when the resource is advertised again. While the node was not
        Ready, it does not count.

        Args:
            grace: Seconds for which kubelet may count a resource that is gone.
            now: When the run stopped watching.
        """
        ends = [time for time in (self.forgotten, self.back) if time is not None]
        end = min(ends, default=now)
        away = sum(max(min(until, end) - max(since, self.gone), 0.0) for since, until in self.away)
        over = end - self.gone - away - grace
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
    """Compare capacity with the advertised resources; a resource that is gone may be counted during kubelet's grace.

    Args:
        context: Node and state that the check is about.
        found: Resource name to capacity when the node left the cell.
        expected: Resources that the node must advertise in the cell.
        leftovers: Resources that `found` counts although they are gone.
        grace: Seconds for which kubelet may count a resource that is gone.
        now: When the run stopped watching, in seconds of the cluster's clock.

    Raises:
        ConformanceError: A count differs, or kubelet counted a resource for longer than the grace.
    """
    late = {one.resource for one in leftovers if one.outlived(grace, now) is not None}
    forgiven = {one.resource for one in leftovers} - late
    likely = [f"kubelet counts {name} for more than {grace:.0f} s after it was gone" for name in sorted(late)]
    counted = above_zero({name: n for name, n in found.items() if name.startswith(PREFIX) and name not in forgiven})
    if finding := compare_mappings(above_zero(expected), counted):
        raise ConformanceError(context, "capacity", finding, likely)


def above_zero(counts: Mapping[str, int]) -> dict[str, int]:
    """Return the counts above 0: kubelet keeps the names of resources that are gone (kubernetes issue 92396)."""
    return {name: count for name, count in counts.items() if count > 0}


def _likely_causes(
    context: CheckContext, found: Mapping[str, int], other_strategy: Mapping[str, int] | None
) -> list[str]:
    if other_strategy is not None and found == other_strategy:
        return [f"the plugin still runs with MIG_STRATEGY={context.strategy.other} (DaemonSet {DEVICE_PLUGIN_APP})"]
    if not found:
        return [f"the device plugin is not running or crash-loops (DaemonSet {DEVICE_PLUGIN_APP})"]
    return []
