"""Scenario: collect everything that happened on a node on its way to a cell, until it was at rest there.

The way begins with the request that leads into the cell, or with the change of strategy before it. What happens at rest
is up to `resting`. The watches record everything in the timeline, so this scenario only extracts its part of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from conformance.cluster.changes import LabelChange, NodeChange, ResourceChange
from conformance.cluster.errors import ClusterError
from conformance.cluster.timeline import PodLife
from conformance.expect.label_changes import touched
from conformance.expect.observed import ObservedGpu
from conformance.expect.operands import apps_to_watch
from conformance.operations.crash_loops import crash_looping
from conformance.operations.side_effects import side_effects
from conformance.operations.taints import node_changes
from conformance.spec.names import MIG_CONFIG
from conformance.suite.arrival import Arrival
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import Effect, Moment, Scenario


@dataclass(frozen=True)
class Stay:
    """The history of one node on its way to one cell, until it was at rest there.

    Attributes:
        label_changes: Changes of labels, without those that the suite wrote.
        resource_changes: Changes of allocatable and capacity.
        node_changes: Changes of taints, schedulability, readiness and boot id.
        neighbours: What happened until the cell was left to state label, deploy labels, taints and cordon of nodes that
            nobody asked for anything.
        side_effects: What each change of the node did beside it since the run began, see `side_effects`.
        pods: Lives of all pods on the node since the request, including pods that existed before and stayed.
        operands: Apps whose pods must be replaced by a change of geometry.
        others: Apps of the other operands, which run on meanwhile.
        crashing: Operands in a crash loop at the end, without the validator: it waits for resources, which some
            geometries do not advertise.
        users_before: UID of the bystander pod by name, before any change.
        gpus: The GPUs as NVML describes them.
        manager_log: Log lines of mig-manager since the request; empty if the log cannot be read.
    """

    label_changes: tuple[LabelChange, ...]
    resource_changes: tuple[ResourceChange, ...]
    node_changes: tuple[NodeChange, ...]
    neighbours: tuple[str, ...]
    side_effects: tuple[frozenset[str], ...]
    pods: tuple[PodLife, ...]
    operands: tuple[str, ...]
    others: tuple[str, ...]
    crashing: tuple[str, ...]
    users_before: Mapping[str, str]
    gpus: tuple[ObservedGpu, ...]
    manager_log: tuple[str, ...]


class WatchStay(Scenario[None, Stay]):
    """Watches the node on its way to the cell."""

    summary: ClassVar = "watch labels, resources and pods until the node is at rest"
    effect: ClassVar = Effect.DISRUPTIVE
    moment: ClassVar = Moment.WHEN_LEFT

    def start(self, node: NodeInCell) -> None:
        """Do nothing: the timeline records the changes."""

    def observe(self, node: NodeInCell, started: None) -> Stay:
        """Extract the stay from the timeline."""
        del started
        arrival, seen = node.arrival, node.observed
        if arrival is None or seen is None:
            raise ClusterError(f"node {node.name} was not brought to {node.cell}: it was found there")
        end = node.at_rest or node.left
        cluster, history = node.cluster, node.cluster.timeline.between(node.mark, end, node=node.name)
        pods = _pods(node, arrival)
        operands = apps_to_watch(pods, arrival.reconfiguration.labels_before)
        labels = (change for change in history if isinstance(change, LabelChange))
        others = {pod.app for pod in cluster.in_daemon_sets(arrival.reconfiguration.pods_before)}
        return Stay(
            label_changes=tuple(change for change in labels if not cluster.writes.owns(change.version)),
            resource_changes=tuple(change for change in history if isinstance(change, ResourceChange)),
            node_changes=node_changes(history, cluster.writes.owns),
            neighbours=tuple(_neighbours(node)),
            side_effects=side_effects(cluster, node.name, tuple(_others(node)), node.left),
            pods=pods,
            operands=operands,
            others=tuple(sorted(others.difference(operands))),
            crashing=tuple(sorted(_crash_looping(node, arrival).intersection(operands))),
            users_before={node.bystander.name: node.bystander.uid} if node.bystander else {},
            gpus=seen.gpus,
            manager_log=arrival.reconfiguration.manager_log,
        )


def _pods(node: NodeInCell, arrival: Arrival) -> tuple[PodLife, ...]:
    reconfiguration = arrival.reconfiguration
    end = node.at_rest or node.left
    lives = {life.uid: life for life in node.cluster.timeline.pods(node.name, reconfiguration.mark, end)}
    stayed = (
        PodLife(pod.app, pod.namespace, pod.name, pod.uid)
        for pod in reconfiguration.pods_before
        if pod.uid not in lives
    )
    return (*stayed, *lives.values())


def _crash_looping(node: NodeInCell, arrival: Arrival) -> set[str]:
    before = {pod.uid: pod.restarts for pod in arrival.reconfiguration.pods_before}
    return crash_looping(node.cluster, node.name, before, arrival.reconfiguration.mark)


def asks(change: LabelChange) -> bool:
    """Return whether the change sets or removes `mig.config`, which asks mig-manager for something."""
    return change.before.get(MIG_CONFIG) != change.after.get(MIG_CONFIG)


def _others(node: NodeInCell) -> Iterator[str]:
    """Yield the names of the nodes that nobody asks for anything: each of the others has a stay of its own."""
    for other in node.cluster.nodes():
        if other.name != node.name and not node.cluster.guard.covers(other.name):
            yield other.name


def _neighbours(node: NodeInCell) -> Iterator[str]:
    cluster = node.cluster
    for other in _others(node):
        history = cluster.timeline.between(node.mark, node.left, node=other)
        if any(isinstance(change, LabelChange) and asks(change) for change in history):
            continue
        labels = [change for change in history if isinstance(change, LabelChange) and touched(change)]
        for change in (*labels, *node_changes(history, cluster.writes.owns)):
            yield f"{other}: {change.describe()}"
