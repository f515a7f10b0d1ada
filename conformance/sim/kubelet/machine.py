"""What a pod needs of its node; `Runtime` gives it."""

from __future__ import annotations

from typing import Protocol

from conformance.sim.clock import Clock
from conformance.sim.device_manager import Grant
from conformance.sim.kube import Object
from conformance.sim.kubelet.containers import Launch
from conformance.sim.kubelet.logs import ContainerLog
from conformance.sim.kubelet.podstatus import PodAtWork


class Machine(Protocol):
    """The node, as its pods see it."""

    @property
    def clock(self) -> Clock:
        """The cluster's clock."""

    def admit(self, pod: Object) -> dict[str, Grant]:
        """Give all containers of the pod their devices, and return them by container.

        Raises:
            DeviceError: They cannot be had.
        """

    async def mount(self, pod: Object) -> None:
        """Wait until all volumes of the pod are there."""

    def prepare(self, pod: Object, spec: Object, grant: Grant, log: ContainerLog, ip: str) -> Launch:
        """Put together what a container of the pod is to run now."""

    def new_address(self, pod: Object) -> str:
        """Return the IP address of a new pod."""

    def warn(self, pod: Object, reason: str, message: str) -> None:
        """Tell people by an event of the pod."""

    def write_status(self, worker: PodAtWork, *, soon: bool) -> None:
        """Write the pod's status: now, or `soon` where it is only progress before the start."""

    def released(self, pod: Object) -> None:
        """Take back what the pod held."""

    async def remove(self, pod: Object) -> None:
        """Remove the object of a pod that has ended."""
