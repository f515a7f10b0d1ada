"""One simulated node: what its programs share outside the Kubernetes API."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from conformance.sim.clock import Clock
from conformance.sim.device_manager import DeviceManager
from conformance.sim.faults import Faults
from conformance.sim.hardware import NodeHardware


def pod_directory(uid: str, volume: str) -> str:
    """Return the directory on the node that holds a volume of the kind `emptyDir` of a pod."""
    return f"/var/lib/kubelet/pods/{uid}/volumes/kubernetes.io~empty-dir/{volume}"


MANAGER_LOOKED: Final = "/run/nvidia/mig-manager-looked"
"""File of a node that mig-manager has applied its label since the boot, or found none."""


@dataclass(eq=False)
class SimNode:
    """A machine with GPUs that joins a cluster.

    Attributes:
        name: Name of the Node object.
        hardware: The GPUs of the node.
        clock: The cluster's clock.
        faults: The faults that are switched on.
        labels: Node labels at registration, in addition to those that every kubelet sets.
        taints: Taints at registration, as in the Node object.
        files: Files on the host by path, which programs in different pods share (ready files, state files). They
            outlive containers; a reboot deletes those below `/run`.
        devices: The kubelet's device manager, with which device plugins register.
        on_reboot: Reboots the node; set by the kubelet, None until then.
        on_kubelet_restart: Restarts the kubelet of the node; set by the kubelet, None until then.
    """

    name: str
    hardware: NodeHardware
    clock: Clock
    faults: Faults = field(default_factory=Faults)
    labels: Mapping[str, str] = field(default_factory=dict)
    taints: tuple[Mapping[str, str], ...] = ()
    files: dict[str, str] = field(default_factory=dict)
    devices: DeviceManager = field(init=False)
    on_reboot: Callable[[], None] | None = None
    on_kubelet_restart: Callable[[], None] | None = None
    _hangups: dict[str, asyncio.Event] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.devices = DeviceManager(self.clock, self.faults)

    def hangup(self, pod: str) -> asyncio.Event:
        """Return the event that stands for SIGHUP to the main program of a pod, by the pod's UID."""
        return self._hangups.setdefault(pod, asyncio.Event())

    def request_reboot(self) -> None:
        """Request a reboot. Returns at once; then all containers are killed.

        Raises:
            RuntimeError: The node has no kubelet yet.
        """
        if self.on_reboot is None:
            raise RuntimeError(f"node {self.name} has no kubelet yet and cannot reboot")
        self.on_reboot()

    def request_kubelet_restart(self) -> None:
        """Restart the kubelet: containers run on, and device plugins have to register again.

        Raises:
            RuntimeError: The node has no kubelet yet.
        """
        if self.on_kubelet_restart is None:
            raise RuntimeError(f"node {self.name} has no kubelet yet that could restart")
        self.on_kubelet_restart()
