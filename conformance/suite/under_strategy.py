"""Reads a node after a change of the strategy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from conformance.expect.label_checks import compare_labels
from conformance.expect.node import ExpectedNode
from conformance.expect.observed import Driver, ObservedGpu
from conformance.expect.strategy import OperandRoll, uuids_of
from conformance.operations.strategy import CARRIERS
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenarios.rest import PluginEnd, plugin_end

Pods = Mapping[str, str]
"""UIDs of the pods of the operands that carry the strategy on a node, by name of their DaemonSet."""


@dataclass(frozen=True)
class UnderStrategy:
    """A node after a change of the strategy.

    Attributes:
        strategy: The strategy; empty if the ClusterPolicy has none.
        rolls: The operands that carry the strategy.
        before: GPUs and MIG devices before the change, see `uuids_of`.
        gpus: The GPUs as NVML describes them.
        driver: Versions of the driver; None if they were not read.
        labels: All labels.
        allocatable: Resources that pods may ask for.
        plugin_end: How the device plugin ended; empty if it is expected to run.
    """

    strategy: str = ""
    rolls: tuple[OperandRoll, ...] = ()
    before: tuple[str, ...] = ()
    gpus: tuple[ObservedGpu, ...] = ()
    driver: Driver | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    allocatable: Mapping[str, int] = field(default_factory=dict)
    plugin_end: PluginEnd = field(default_factory=PluginEnd)

    @property
    def after(self) -> tuple[str, ...]:
        """GPUs and MIG devices after the change, see `uuids_of`."""
        return uuids_of(self.gpus)

    @property
    def pods(self) -> Pods:
        """The pods after the change."""
        return {roll.operand: roll.after[-1] for roll in self.rolls if roll.after}


def carriers(node: NodeInCell) -> Pods:
    """Return the pods of a node that carry the strategy."""
    pods = (pod for app in CARRIERS for pod in node.cluster.operands(node.name, app) if not pod.terminating)
    return {pod.owner.removeprefix("DaemonSet/"): pod.uid for pod in pods if pod.owner}


def read_under(
    node: NodeInCell, expected: ExpectedNode, strategy: str, pods: Pods, before: tuple[ObservedGpu, ...]
) -> UnderStrategy:
    """Read the node once it is as expected or the limits have passed.

    Args:
        node: The node.
        expected: What it must show.
        strategy: The strategy in the ClusterPolicy; empty if there is none.
        pods: Result of `carriers` before the change.
        before: The GPUs before the change.

    Raises:
        ClusterError: The GPUs cannot be read.
    """
    cluster, name = node.cluster, node.name
    end = plugin_end(cluster, name) if expected.refusal else PluginEnd()
    seen = node.workloads.read_gpus()
    labels = expected.labels(seen.gpus, seen.driver)

    view = cluster.node(name)

    def follows() -> bool:
        nonlocal view
        view = cluster.node(name)
        if view.advertised != dict(expected.resources) or compare_labels(view.labels, labels) is not None:
            return False
        return bool(expected.refusal) or all(roll.ready for roll in _rolls(node, pods))

    what = f"resources and labels under strategy {strategy or 'unset'}"
    cluster.give_time(follows, what, cluster.limits.labels, node=name)
    return UnderStrategy(
        strategy=strategy,
        rolls=_rolls(node, pods),
        before=uuids_of(before),
        gpus=seen.gpus,
        driver=seen.driver,
        labels=view.labels,
        allocatable=view.allocatable,
        plugin_end=end,
    )


def _rolls(node: NodeInCell, before: Pods) -> tuple[OperandRoll, ...]:
    rolls = []
    for name, uid in sorted(before.items()):
        view = node.cluster.daemon_set(name)
        owner = f"DaemonSet/{name}"
        now = [pod for pod in node.cluster.operands(node.name) if pod.owner == owner and not pod.terminating]
        setting = (view.strategy if view else None) or ""
        rolls.append(OperandRoll(name, setting, uid, tuple(pod.uid for pod in now), all(pod.ready for pod in now)))
    return tuple(rolls)
