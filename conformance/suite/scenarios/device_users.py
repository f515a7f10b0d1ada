"""Scenario: several pods hold one device each at the same time, and report which device they see.

The last pod of a resource starts when the others already hold theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Final

from conformance.cluster.errors import ClusterError
from conformance.cluster.pod_view import PodView
from conformance.expect.devices import DeviceUser
from conformance.expect.observed import ObservedGpu
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import Effect, Needs, Scenario

TOGETHER: Final = 2
"""Maximum number of pods for each resource that start at the same time."""
AT_MOST: Final = 3
"""Maximum number of pods for each resource. The third starts later: it must not get a device that is in use."""


@dataclass(frozen=True)
class DeviceUsers:
    """Pods that held devices of a node at the same time.

    Attributes:
        users: The pods: for each resource that the node must advertise, up to `AT_MOST`.
        gpus: The GPUs of the node as NVML describes them.
    """

    users: tuple[DeviceUser, ...]
    gpus: tuple[ObservedGpu, ...]


class UseDevices(Scenario[list[tuple[str, PodView]], DeviceUsers]):
    """Starts pods for every resource of the node, and reads which device each of them got."""

    summary: ClassVar = "start pods that ask for one device each"
    effect: ClassVar = Effect.WORKLOAD
    needs: ClassVar = Needs(devices=1)
    cost: ClassVar = 10.0

    def start(self, node: NodeInCell) -> list[tuple[str, PodView]]:
        """Create the pods that start together, without waiting."""
        return _start(node, node.expected.resources, 0, TOGETHER)

    def observe(self, node: NodeInCell, started: list[tuple[str, PodView]]) -> DeviceUsers:
        """Read what each pod sees, start one more for each resource, and read what that sees."""
        if (seen := node.observed) is None:
            raise ClusterError(f"the GPUs of node {node.name} were not read in {node.cell}")
        return DeviceUsers(_users(node, node.expected.resources, started), seen.gpus)


def use_devices(node: NodeInCell, resources: Mapping[str, int]) -> tuple[DeviceUser, ...]:
    """Start pods for every one of these resources as `UseDevices` does, and return what they see."""
    return _users(node, resources, _start(node, resources, 0, TOGETHER))


def _users(
    node: NodeInCell, resources: Mapping[str, int], started: list[tuple[str, PodView]]
) -> tuple[DeviceUser, ...]:
    first = [node.workloads.devices(pod, resource) for resource, pod in started]
    later = _start(node, resources, TOGETHER, AT_MOST)
    return (*first, *(node.workloads.devices(pod, resource) for resource, pod in later))


def _start(node: NodeInCell, resources: Mapping[str, int], there: int, up_to: int) -> list[tuple[str, PodView]]:
    return [
        (resource, node.workloads.start(resource))
        for resource, count in sorted(resources.items())
        for _ in range(there, min(count, up_to))
    ]
