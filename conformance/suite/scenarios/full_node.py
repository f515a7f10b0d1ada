"""Scenario: take every device of a resource, try from inside what must be impossible, and wait for a free one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from conformance.cluster.errors import ClusterError
from conformance.cluster.pod_view import PodView
from conformance.expect.devices import DeviceUser
from conformance.expect.observed import ObservedGpu
from conformance.expect.scheduling import StartedPod
from conformance.expect.slice_use import SliceUse
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import Effect, Needs, Scenario

_LEAST = 2
"""Devices at least of the pod that tries what must be impossible: with two, access between them can be tried."""


@dataclass(frozen=True)
class FullNode:
    """A node of which every device of one resource is taken.

    Attributes:
        resource: The resource.
        count: How many of it the node must advertise.
        users: The pods that hold all of them at the same time.
        gpus: The GPUs of the node as NVML describes them.
        tried: What a process on two of the devices could do, while the others were held.
        waiting: One more pod, while all devices are taken.
        after: The same pod after a device was given back.
    """

    resource: str
    count: int
    users: tuple[DeviceUser, ...]
    gpus: tuple[ObservedGpu, ...]
    tried: SliceUse
    waiting: StartedPod
    after: StartedPod


@dataclass(frozen=True)
class Holders:
    """The first pods of the scenario.

    Attributes:
        resource: The resource.
        single: A pod with one device.
        rest: A pod with all devices that the others do not have; None if there is none.
        tester: A pod that tries what must be impossible, and ends. It starts last: whoever came later could get its
            devices.
        tested: Number of its devices.
    """

    resource: str
    single: PodView
    rest: PodView | None
    tester: PodView
    tested: int


class TakeEveryDevice(Scenario[Holders, FullNode]):
    """Takes every device of the resource of which the node has most."""

    summary: ClassVar = "take every slice, try to leave one from inside, and wait for a free one"
    effect: ClassVar = Effect.WORKLOAD
    exclusive: ClassVar = True
    full_profile_only: ClassVar = True
    needs: ClassVar = Needs(devices=4)
    cost: ClassVar = 15.0

    def start(self, node: NodeInCell) -> Holders:
        """Start a pod with one device, one with those that the others leave, and one that tries."""
        if node.observed is None:
            raise ClusterError(f"the GPUs of node {node.name} were not read in {node.cell}")
        resource, count = node.largest
        tested = _tested(node.on_each_gpu(resource))
        rest = count - 1 - tested
        uuids = [device.uuid for gpu in node.observed.gpus for device in gpu.instances]
        return Holders(
            resource,
            node.workloads.start(resource),
            node.workloads.start(resource, rest) if rest else None,
            node.workloads.start_tester(resource, tested, uuids),
            tested,
        )

    def observe(self, node: NodeInCell, started: Holders) -> FullNode:
        """Read what they got, take what the tester gave back, and watch one more pod until a device is free for it."""
        workloads, (resource, count) = node.workloads, node.largest
        gpus = node.observed.gpus if node.observed else ()
        users = [workloads.devices(pod, resource) for pod in (started.single, started.rest) if pod]
        tried = workloads.tried(started.tester, gpus, sorted(uuid for user in users for uuid in user.uuids))
        last = workloads.start(resource, started.tested)
        users.append(workloads.devices(last, resource))
        extra = workloads.start(resource)
        waiting = workloads.pending(extra)
        workloads.end(started.single)
        return FullNode(resource, count, tuple(users), gpus, tried, waiting, workloads.running(extra))


def _tested(on_each_gpu: Sequence[int]) -> int:
    """Return how many devices the tester takes, so that it shares a GPU with another pod, whichever devices it gets.

    That is so if they cannot be all devices of some GPUs. Where no number is such, as with one device on each GPU, it
    takes the least.
    """
    whole = {0}
    for count in on_each_gpu:
        whole |= {taken + count for taken in whole}
    return next((number for number in range(_LEAST, sum(on_each_gpu)) if number not in whole), _LEAST)
