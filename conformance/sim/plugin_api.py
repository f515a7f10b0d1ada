"""The interface between device plugins and the kubelet's device manager.

It follows the kubelet's gRPC interface `v1beta1` (kubernetes/kubelet, pkg/apis/deviceplugin): a plugin serves one
resource, reports its whole device list and handles requests for devices. The simulated kubelet calls methods directly
instead of using a socket.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

HEALTHY: Final = "Healthy"
UNHEALTHY: Final = "Unhealthy"


class AllocateError(Exception):
    """The plugin rejects a request for devices; the kubelet wraps the message as an RPC error of code Unknown."""


@dataclass(frozen=True)
class Device:
    """One entry of a plugin's device list.

    Attributes:
        id: Id by which the kubelet requests the device; with sharing it ends in `::<replica>`.
        health: `HEALTHY` or `UNHEALTHY`; an unhealthy device counts for capacity but not for allocatable.
        numa: NUMA nodes of the device; empty if unknown.
    """

    id: str
    health: str = HEALTHY
    numa: tuple[int, ...] = ()


@dataclass(frozen=True)
class Mount:
    """A host path that is mounted into the container."""

    container_path: str
    host_path: str
    read_only: bool = False


@dataclass(frozen=True)
class DeviceNode:
    """A device file that is created in the container; `permissions` as in the cgroup device controller (`rw`)."""

    container_path: str
    host_path: str
    permissions: str = "rw"


@dataclass(frozen=True)
class AllocateResponse:
    """Response for one container: how the runtime makes the devices available.

    Attributes:
        envs: Environment variables. `NVIDIA_VISIBLE_DEVICES` holds device ids, comma separated, or a directory.
        mounts: Host paths to mount.
        devices: Device nodes to create.
        annotations: Annotations for the container runtime; they never reach the Pod object.
        cdi: Fully qualified CDI device names (`<vendor>/<class>=<id>`) for the container runtime.
        uuids: The GPUs and MIG devices that the container sees, however they are passed. Not part of the real
            interface: it replaces the work of the container runtime with index ids and CDI specifications.
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
        """Return the whole device list."""

    def allocate(self, ids: Sequence[str]) -> AllocateResponse:
        """Return the response for a container that is allocated exactly these devices.

        Raises:
            AllocateError: An id is unknown, or more shared replicas are requested than the configuration permits.
        """

    def preferred(self, available: Collection[str], required: Collection[str], size: int) -> Sequence[str]:
        """Choose `size` of the available ids, including the required ones.

        Raises:
            AllocateError: Fewer than `size` are available.
        """
