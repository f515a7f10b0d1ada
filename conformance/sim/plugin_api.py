"""What a device plugin and the kubelet's device manager say to each other.

The shapes follow the kubelet's gRPC interface `v1beta1` (kubernetes/kubelet, pkg/apis/deviceplugin): a plugin serves
one resource, sends its whole device list and answers requests for devices. The simulated kubelet calls the methods
directly in place of a socket.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

HEALTHY: Final = "Healthy"
UNHEALTHY: Final = "Unhealthy"


class AllocateError(Exception):
    """The plugin refuses a request for devices; the kubelet wraps the message as an RPC error of code Unknown."""


@dataclass(frozen=True)
class Device:
    """One entry of a plugin's device list.

    Attributes:
        id: What the kubelet hands back to ask for this device; with sharing it ends in `::<replica>`.
        health: `HEALTHY` or `UNHEALTHY`; an unhealthy device counts for capacity but not for allocatable.
        numa: NUMA nodes that the device is near to; empty if the machine does not say.
    """

    id: str
    health: str = HEALTHY
    numa: tuple[int, ...] = ()


@dataclass(frozen=True)
class Mount:
    """A host path that appears in the container."""

    container_path: str
    host_path: str
    read_only: bool = False


@dataclass(frozen=True)
class DeviceNode:
    """A device file that appears in the container; `permissions` as in the cgroup device controller (`rw`)."""

    container_path: str
    host_path: str
    permissions: str = "rw"


@dataclass(frozen=True)
class AllocateResponse:
    """What the plugin wants done to one container that gets devices.

    Attributes:
        envs: Environment variables. `NVIDIA_VISIBLE_DEVICES` holds device ids, comma separated, or a directory.
        mounts: Host paths to mount.
        devices: Device nodes to create.
        annotations: Annotations for the container runtime; they never reach the Pod object.
        cdi: Fully qualified CDI device names (`<vendor>/<class>=<id>`) for the container runtime.
        uuids: The GPUs and MIG devices that the container ends up seeing, whichever of the ways above carries them.
            Not part of the real interface: it stands for the runtime's work, so that the simulated kubelet
            need not know index ids or CDI specifications.
    """

    envs: Mapping[str, str] = field(default_factory=dict)
    mounts: Sequence[Mount] = ()
    devices: Sequence[DeviceNode] = ()
    annotations: Mapping[str, str] = field(default_factory=dict)
    cdi: Sequence[str] = ()
    uuids: frozenset[str] = frozenset()


class DevicePluginServer(Protocol):
    """One resource of a device plugin, as the kubelet sees it after registration."""

    @property
    def resource(self) -> str:
        """Name of the extended resource, for example `nvidia.com/mig-1g.10gb`."""

    def devices(self) -> Sequence[Device]:
        """Return the whole list; it replaces every former one."""

    def allocate(self, ids: Sequence[str]) -> AllocateResponse:
        """Answer for one container that is to get exactly these devices.

        Raises:
            AllocateError: An id is unknown, or more shared replicas are asked for than the configuration permits.
        """

    def preferred(self, available: Collection[str], required: Collection[str], size: int) -> Sequence[str]:
        """Choose `size` of the available ids, the required ones among them.

        Raises:
            AllocateError: Fewer than `size` are available.
        """
