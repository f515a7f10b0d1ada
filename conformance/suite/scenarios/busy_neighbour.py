"""Scenario: the first GPU gets another layout while a pod computes on a slice of another GPU."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from conformance.expect.busy import Holder
from conformance.expect.node import ExpectedNode
from conformance.expect.observed import ObservedGpu
from conformance.expect.trial import Trial
from conformance.spec.mig_parted import Entry
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.own_file import OwnFileScenario, for_each_model, halves, smallest
from conformance.suite.scenario import Needs
from conformance.suite.trials import TrialWatch

FIRST_HALVED: Final = "suite-first-gpu-halved"
ALL_ALIKE: Final = "suite-all-gpus-alike"
FIRST: Final = 0
"""Index of the GPU whose layout changes."""
_OTHERS: Final = tuple(range(1, 16))


@dataclass(frozen=True)
class BusyNeighbour:
    """A change of the first GPU while a pod computes on another one.

    Attributes:
        expected: What the node must show after the change.
        holder: The pod and its device, before the change and after it.
        trial: The request that changes the layout of the first GPU and of no other.
    """

    expected: ExpectedNode
    holder: Holder
    trial: Trial


class ChangeBesideBusyGpu(OwnFileScenario[BusyNeighbour]):
    """Halves the first GPU, lets a pod compute on a small slice, which other GPUs have, and makes all GPUs alike."""

    summary: ClassVar = "change the first GPU while a pod computes on another one"
    needs: ClassVar = Needs(gpus=2)
    cost: ClassVar = 45.0

    def configurations(self, gpus: Sequence[ObservedGpu]) -> Mapping[str, Iterable[Entry]]:
        """Two layouts that differ on the first GPU alone."""
        return {
            FIRST_HALVED: for_each_model(gpus, [((FIRST,), halves), (_OTHERS, smallest)]),
            ALL_ALIKE: for_each_model(gpus, [(None, smallest)]),
        }

    def observe(self, node: NodeInCell, started: None) -> BusyNeighbour:
        """Request both layouts; the pod starts between them, where no device of the first GPU is right for it."""
        del started
        gpus, file = node.observed.gpus if node.observed else (), self.configurations(self.gpus)
        halved = node.expected.asked_for(FIRST_HALVED, gpus, tuple(file[FIRST_HALVED]))
        alike = node.expected.asked_for(ALL_ALIKE, gpus, tuple(file[ALL_ALIKE]))
        node.request(FIRST_HALVED)
        node.await_resources(halved.resources)
        pod = node.workloads.hold(max(halved.resources, key=lambda name: halved.resources[name]))
        device, watch = node.workloads.held_device(pod), TrialWatch(node)
        node.request(ALL_ALIKE)
        trial = watch.trial(ALL_ALIKE, resources=alike.resources)
        holder = Holder(device, node.workloads.running(pod), node.workloads.restarts(pod))
        node.workloads.remove()
        return BusyNeighbour(alike, holder, trial)

    def settle(self, node: NodeInCell, evidence: BusyNeighbour) -> BusyNeighbour:
        """Request the configuration of the cell, which the former file has again."""
        node.request(node.cell.configuration)
        return evidence
