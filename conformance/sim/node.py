"""One simulated node: what its programs share below the Kubernetes API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from conformance.sim.clock import Clock
from conformance.sim.device_manager import DeviceManager
from conformance.sim.faults import Faults
from conformance.sim.hardware import NodeHardware


@dataclass(eq=False)
class SimNode:
    """A machine with GPUs that joins a cluster.

    Attributes:
        name: Name of the Node object.
        hardware: GPUs and machine.
        clock: The cluster's clock.
        faults: Defects that are switched on.
        labels: Node labels at registration, beside those that every kubelet writes.
        taints: Taints at registration, as in the Node object.
        files: Files of the host by path, for what programs of different pods share (validation marks, state files).
            They outlive containers; a path below `/run` is lost in a reboot.
        devices: The kubelet's socket for device plug-ins.
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

    def __post_init__(self) -> None:
        self.devices = DeviceManager(self.clock, self.faults)

    def request_reboot(self) -> None:
        """Restart the machine as `reboot` does: returns at once, then every container ends without a word."""
        if self.on_reboot is None:
            raise RuntimeError(f"node {self.name} has no kubelet yet that could reboot it")
        self.on_reboot()
