"""What happened on a node from the request that led into a cell to the one that leads out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from conformance.cluster.changes import LabelChange, ResourceChange
from conformance.cluster.errors import ClusterError
from conformance.cluster.timeline import PodLife
from conformance.expect.observed import ObservedGpu
from conformance.expect.operands import apps_to_watch
from conformance.spec.names import VALIDATOR_APP
from conformance.suite.arrival import Arrival
from conformance.suite.scenario import Effect, Moment, NodeInCell, Scenario

_A_FEW: Final = 2
"""Restarts of a container that may happen while a node comes to rest; a loop, which is Ready now and then, has more."""


@dataclass(frozen=True)
class Stay:
    """The history of one node in one cell.

    Attributes:
        label_changes: What happened to the labels, the suite's own writes left out.
        resource_changes: What happened to allocatable and capacity.
        pods: Lives of the operands' pods, those that were there and stayed included.
        operands: Apps whose pods a change of geometry must renew.
        crashing: Operands that crash-loop at the end; not the validator, which waits for resources that may rightly
            not come.
        users_before: Name to UID of the user's pod before any change.
        users_after: Name to UID of the user's pod where it is alive at the end.
        gpus: The GPUs as NVML describes them.
        manager_log: What mig-manager logged since the request; empty where it may not be read.
    """

    label_changes: tuple[LabelChange, ...]
    resource_changes: tuple[ResourceChange, ...]
    pods: tuple[PodLife, ...]
    operands: tuple[str, ...]
    crashing: tuple[str, ...]
    users_before: Mapping[str, str]
    users_after: Mapping[str, str]
    gpus: tuple[ObservedGpu, ...]
    manager_log: tuple[str, ...]


class WatchStay(Scenario[None, Stay]):
    """Watches the node for as long as it is in the cell."""

    summary: ClassVar = "watch labels, resources and pods until the cell is left"
    effect: ClassVar = Effect.DISRUPTIVE
    moment: ClassVar = Moment.WHEN_LEFT

    def start(self, node: NodeInCell) -> None:
        """Nothing: the timeline remembers."""

    def observe(self, node: NodeInCell, started: None) -> Stay:
        """Sum up."""
        del started
        arrival, seen = node.arrival, node.observed
        if arrival is None or seen is None:
            raise ClusterError(f"node {node.name} was not brought to {node.cell}: it was found there")
        cluster, history = node.cluster, node.cluster.timeline.between(node.mark, node.left, node=node.name)
        pods = _pods(node, arrival)
        operands = apps_to_watch(pods, arrival.reconfiguration.labels_before)
        labels = (change for change in history if isinstance(change, LabelChange))
        return Stay(
            label_changes=tuple(change for change in labels if not cluster.writes.owns(change.version)),
            resource_changes=tuple(change for change in history if isinstance(change, ResourceChange)),
            pods=pods,
            operands=operands,
            crashing=tuple(sorted(_crash_looping(node, arrival).intersection(operands))),
            users_before={node.bystander.name: node.bystander.uid} if node.bystander else {},
            users_after=_users_now(node),
            gpus=seen.gpus,
            manager_log=arrival.reconfiguration.manager_log,
        )


def _pods(node: NodeInCell, arrival: Arrival) -> tuple[PodLife, ...]:
    reconfiguration = arrival.reconfiguration
    lives = {life.uid: life for life in node.cluster.timeline.pods(node.name, reconfiguration.mark, node.left)}
    stayed = (
        PodLife(pod.app, pod.namespace, pod.name, pod.uid)
        for pod in reconfiguration.pods_before
        if pod.uid not in lives
    )
    return (*stayed, *lives.values())


def _crash_looping(node: NodeInCell, arrival: Arrival) -> set[str]:
    before = {pod.uid: pod.restarts for pod in arrival.reconfiguration.pods_before}
    pods = [pod for pod in node.cluster.operands(node.name) if pod.app != VALIDATOR_APP]
    return {pod.app for pod in pods if pod.crashing or pod.restarts - before.get(pod.uid, 0) > _A_FEW}


def _users_now(node: NodeInCell) -> dict[str, str]:
    pod = node.cluster.pod(node.bystander.name) if node.bystander else None
    return {pod.name: pod.uid} if pod and pod.ready and not pod.terminating else {}
