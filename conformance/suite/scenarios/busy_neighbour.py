"""Scenario: the first GPU, and then every GPU, gets another layout while a pod computes on a slice of another GPU."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Final

from conformance.expect.busy import Holder
from conformance.expect.node import ExpectedNode
from conformance.expect.observed import ObservedGpu
from conformance.expect.trial import Trial
from conformance.spec.mig_parted import Entry
from conformance.suite.interruptions import Interruption
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.own_file import OwnFileScenario, for_each_model, halves, smallest
from conformance.suite.scenario import Needs
from conformance.suite.trials import TrialWatch

FIRST_HALVED: Final = "suite-first-gpu-halved"
ALL_ALIKE: Final = "suite-all-gpus-alike"
ALL_HALVED: Final = "suite-all-gpus-halved"
FIRST: Final = 0
"""Index of the GPU whose layout changes."""
_OTHERS: Final = tuple(range(1, 16))


@dataclass(frozen=True)
class BusyNeighbour:
    """A change of the first GPU, and then of all, while a pod computes on another than the first.

    Attributes:
        expected: What the node must show after the first change.
        holder: The pod and its device, before the first change and after it.
        trial: The request that changes the layout of the first GPU and of no other.
        held_on: The pod and its device after the second request.
        refused: The request that changes the layout of every GPU.
    """

    expected: ExpectedNode
    holder: Holder
    trial: Trial
    held_on: Holder
    refused: Trial


class ChangeBesideBusyGpu(OwnFileScenario[BusyNeighbour]):
    """Halves the first GPU, lets a pod compute on a small slice, which other GPUs have, and makes all GPUs alike.

    Then it requests a layout in which all are halved.
    """

    summary: ClassVar = "change the first GPU, then all, while a pod computes on another than the first"
    needs: ClassVar = Needs(gpus=2)
    cost: ClassVar = 70.0

    def configurations(self, gpus: Sequence[ObservedGpu]) -> Mapping[str, Iterable[Entry]]:
        """Two layouts that differ on the first GPU alone, and one that differs from the second on every GPU."""
        return {
            FIRST_HALVED: for_each_model(gpus, [((FIRST,), halves), (_OTHERS, smallest)]),
            ALL_ALIKE: for_each_model(gpus, [(None, smallest)]),
            ALL_HALVED: for_each_model(gpus, [(None, halves)]),
        }

    def observe(self, node: NodeInCell, started: None) -> BusyNeighbour:
        """Request the layouts; the pod starts after the first, where no device of the first GPU is right for it."""
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
        holder = node.workloads.holder(pod, device)
        interruption = Interruption(node)
        node.request(ALL_HALVED)
        refused = interruption.trial(ALL_HALVED)
        held_on = node.workloads.holder(pod, device)
        node.workloads.remove()
        return BusyNeighbour(alike, holder, trial, held_on, refused)

    def settle(self, node: NodeInCell, evidence: BusyNeighbour) -> BusyNeighbour:
        """Request the configuration of the cell, which the former file has again."""
        node.request(node.cell.configuration)
        return evidence
