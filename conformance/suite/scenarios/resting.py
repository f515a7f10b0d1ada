"""Scenario: watch a node at rest, until it is asked for another configuration, the strategy changes, or the run ends.

The watches record everything in the timeline, so this scenario only extracts its part of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

from conformance.cluster.changes import Change, LabelChange, NodeChange, PodChange, PolicyChange, ResourceChange
from conformance.expect.observed import ObservedGpu
from conformance.operations.taints import node_changes
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import Effect, Moment, Scenario
from conformance.suite.scenarios.stay import asks

_OF_EVERY_NODE: Final = ("strategy", "config_name")
"""Fields of the ClusterPolicy whose change restarts operands."""


@dataclass(frozen=True)
class Resting:
    """What happened on a node at rest; nothing may.

    Attributes:
        label_changes: Changes of labels, without those that the suite wrote.
        resource_changes: Changes of allocatable and capacity.
        node_changes: Changes of taints, schedulability, readiness and boot id.
        pod_changes: Steps of the pods of operands, and of the pod that stands for those of users.
        gpus: The GPUs as NVML describes them; empty if the suite must not start pods on the node.
    """

    label_changes: tuple[LabelChange, ...]
    resource_changes: tuple[ResourceChange, ...]
    node_changes: tuple[NodeChange, ...]
    pod_changes: tuple[PodChange, ...]
    gpus: tuple[ObservedGpu, ...]


class WatchRest(Scenario[None, Resting]):
    """Watches the node from the moment when it shows all that it must."""

    summary: ClassVar = "watch the node until it is asked again"
    effect: ClassVar = Effect.READONLY
    moment: ClassVar = Moment.AT_END

    def start(self, node: NodeInCell) -> None:
        """Do nothing: the timeline records the changes."""

    def observe(self, node: NodeInCell, started: None) -> Resting:
        """Extract the time at rest from the timeline."""
        del started
        cluster, asked = node.cluster, _asked_again(node)
        end = node.left if node.disturbed else None
        changes = cluster.timeline.between(node.at_rest, end, node=node.name)
        history = [change for change in changes if asked is None or change.precedes(asked)]
        apps = {pod.app for pod in cluster.in_daemon_sets(cluster.operands(node.name))}
        labels = (change for change in history if isinstance(change, LabelChange))
        steps = (change for change in history if isinstance(change, PodChange))
        return Resting(
            label_changes=tuple(change for change in labels if not cluster.writes.owns(change.version)),
            resource_changes=tuple(change for change in history if isinstance(change, ResourceChange)),
            node_changes=node_changes(history, cluster.writes.owns),
            pod_changes=tuple(
                one
                for one in steps
                if (one.app in apps and one.namespace == cluster.operator_namespace)
                or (node.bystander is not None and one.uid == node.bystander.uid)
            ),
            gpus=node.observed.gpus if node.observed else (),
        )


def _asked_again(node: NodeInCell) -> Change | None:
    """Return the first change of `mig.config` or of what concerns every node, whoever made it; None for none."""
    timeline, since = node.cluster.timeline, node.at_rest
    asked = next((one for one in timeline.of(LabelChange, since, node=node.name) if asks(one)), None)
    switched = next((one for one in timeline.of(PolicyChange, since, node="") if one.field in _OF_EVERY_NODE), None)
    if asked is None or switched is None:
        return asked or switched
    return asked if asked.precedes(switched) else switched
