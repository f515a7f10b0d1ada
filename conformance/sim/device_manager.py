"""The kubelet's device manager: the devices of a node and the containers that hold them.

Source: kubernetes v1.36, pkg/kubelet/cm/devicemanager/manager.go; docs/reference/kubelet.md#capacity.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar

from kubernetes.utils.quantity import parse_quantity

from conformance.sim.clock import Clock
from conformance.sim.faults import Faults
from conformance.sim.plugin_api import HEALTHY, AllocateError, AllocateResponse, DevicePluginServer

T = TypeVar("T")
logger = logging.getLogger(__name__)

GRACE_SECONDS: Final = 300.0
"""Cluster seconds for which the devices of a stopped plugin still count for capacity (endpointStopGracePeriod)."""


class DeviceError(Exception):
    """Devices cannot be allocated; the message is that of the kubelet."""


class Quantity(NamedTuple):
    """Capacity and allocatable of one resource."""

    capacity: int
    allocatable: int


@dataclass(frozen=True)
class _Devices:
    """The devices of one resource.

    Attributes:
        plugin: The plugin that serves them; None if it has stopped.
        healthy: Ids that can be allocated, in the plugin's order.
        unhealthy: Ids that count for capacity only.
        lost_at: Cluster time at which the plugin stopped; None while it runs.
    """

    plugin: DevicePluginServer | None = None
    healthy: tuple[str, ...] = ()
    unhealthy: tuple[str, ...] = ()
    lost_at: float | None = None


@dataclass
class Grant:
    """The allocation of one container: the responses of the plugins, for the runtime."""

    answers: list[AllocateResponse] = field(default_factory=list)


class DeviceManager:
    """The devices of one node.

    Attributes:
        on_change: Called when quantities have changed; set by the writer of the node's status.
    """

    def __init__(self, clock: Clock, faults: Faults) -> None:
        self.on_change: Callable[[], None] = lambda: None
        self._clock = clock
        self._faults = faults
        self._resources: dict[str, _Devices] = {}
        self._held: dict[str, dict[tuple[str, str], set[str]]] = {}
        self._restarted = asyncio.Event()
        self._unused = asyncio.Event()

    def register(self, resource: str, plugin: DevicePluginServer) -> None:
        """Register a plugin with its device list, replacing a former plugin of the same resource."""
        devices = plugin.devices()
        healthy = tuple(device.id for device in devices if device.health == HEALTHY)
        unhealthy = tuple(device.id for device in devices if device.health != HEALTHY)
        self._resources[resource] = _Devices(plugin, healthy, unhealthy)
        self.on_change()

    def unregister(self, resource: str, plugin: DevicePluginServer) -> None:
        """Unregister a plugin; its devices are no longer allocatable. No effect if another plugin has replaced it."""
        devices = self._resources.get(resource)
        if devices is None or devices.plugin is not plugin:
            return
        gone = devices.healthy + devices.unhealthy
        self._resources[resource] = _Devices(unhealthy=gone, lost_at=self._clock.now())
        self.on_change()

    async def restarted(self) -> None:
        """Wait until the kubelet restarts, which drops all registrations."""
        await self._restarted.wait()

    def restart(self) -> None:
        """Restart from the checkpoint, which contains resource names and allocations, but no devices."""
        lost = _Devices(lost_at=self._clock.now())
        self._resources = dict.fromkeys(self._resources, lost)
        if self._faults.on("kubelet-forgets-holders"):
            self._held.clear()
        self._restarted.set()
        self._restarted = asyncio.Event()
        self.on_change()

    def quantities(self) -> dict[str, Quantity]:
        """Return capacity and allocatable by resource; a resource that no longer has devices stays, with zeros."""
        counted = {}
        for name, devices in self._resources.items():
            total = 0 if self._expired(devices) else len(devices.healthy) + len(devices.unhealthy)
            counted[name] = Quantity(total, len(devices.healthy))
        return counted

    def next_expiry(self) -> float | None:
        """Return the cluster time at which the next capacity falls to zero; None if none will."""
        moments = (d.lost_at + GRACE_SECONDS for d in self._resources.values() if d.lost_at is not None and d.unhealthy)
        return min((moment for moment in moments if moment > self._clock.now()), default=None)

    def allocate(self, pod: str, container: str, limits: Mapping[str, str], reusable: dict[str, set[str]]) -> Grant:
        """Allocate devices for a container.

        Args:
            pod: Uid of the pod.
            container: Name of the container.
            limits: Resource limits of the container; resources that no plugin ever served are ignored.
            reusable: Devices of finished init containers of the pod, by resource.

        Raises:
            DeviceError: The devices are not available, or the plugin rejects the request.
        """
        grant = Grant()
        for resource, limit in limits.items():
            if resource in self._resources and (wanted := _whole(limit)) > 0:
                ids = self._choose(resource, pod, container, wanted, reusable.get(resource, set()))
                self._held.setdefault(resource, {})[pod, container] = set(ids)
                grant.answers.append(self._ask(resource, ids))
        return grant

    def held(self, pod: str, container: str) -> dict[str, set[str]]:
        """Return the devices of a container by resource."""
        holder = (pod, container)
        return {resource: set(held[holder]) for resource, held in self._held.items() if holder in held}

    async def unused(self) -> None:
        """Wait until a pod gives back the last devices that are held on the node; only faults look at it."""
        await self._unused.wait()

    def release(self, pod: str) -> None:
        """Release all devices of a pod."""
        used = any(self._held.values())
        for holders in self._held.values():
            for holder in [holder for holder in holders if holder[0] == pod]:
                del holders[holder]
        if used and not any(self._held.values()):
            self._unused.set()
            self._unused = asyncio.Event()

    def _expired(self, devices: _Devices) -> bool:
        if devices.lost_at is None or self._faults.on("kubelet-keeps-capacity"):
            return False
        return self._clock.now() >= devices.lost_at + GRACE_SECONDS

    def _choose(self, resource: str, pod: str, container: str, wanted: int, reusable: set[str]) -> list[str]:
        """Choose device ids, with the kubelet's checks and messages."""
        devices = self._resources[resource]
        before = self._held.get(resource, {}).get((pod, container), set())
        if self._expired(devices):
            raise DeviceError(f"cannot allocate unregistered device {resource}")
        if not devices.healthy:
            raise DeviceError(f"no healthy devices present; cannot allocate unhealthy devices {resource}")
        if not before <= set(devices.healthy):
            raise DeviceError(
                f"previously allocated devices are no longer healthy; cannot allocate unhealthy devices {resource}"
            )
        if before:
            return sorted(before)
        chosen = [device for device in devices.healthy if device in reusable][:wanted]
        return chosen + self._choose_free(resource, devices, wanted - len(chosen), set(chosen))

    def _choose_free(self, resource: str, devices: _Devices, needed: int, chosen: set[str]) -> list[str]:
        used = chosen | self._in_use(resource)
        free = [device for device in devices.healthy if device not in used]
        if len(free) < needed:
            raise DeviceError(
                f"requested number of devices unavailable for {resource}. Requested: {needed}, Available: {len(free)}"
            )
        if needed in (0, len(free)) or (plugin := devices.plugin) is None:
            return free[:needed]
        try:
            preferred: Sequence[str] = _call(plugin.preferred, free, (), needed)
        except DeviceError as error:
            raise DeviceError(f"device plugin GetPreferredAllocation rpc failed with err: {error}") from error
        # What is not free is ignored, and what is missing is filled up.
        return list(dict.fromkeys([*(device for device in preferred if device in free), *free]))[:needed]

    def _in_use(self, resource: str) -> set[str]:
        if self._faults.on("kubelet-hands-out-twice"):
            return set()
        held = self._held.get(resource, {})
        if self._faults.on("kubelet-remembers-last-pod"):
            last = next((pod for pod, _ in reversed(held)), None)
            held = {holder: ids for holder, ids in held.items() if holder[0] == last}
        return {device for ids in held.values() for device in ids}

    def _ask(self, resource: str, ids: list[str]) -> AllocateResponse:
        plugin = self._resources[resource].plugin
        if plugin is None:
            raise DeviceError(f"no healthy devices present; cannot allocate unhealthy devices {resource}")
        return _call(plugin.allocate, ids)


def _whole(limit: str) -> int:
    """Return the value of a limit such as `7` or `1k`."""
    return int(parse_quantity(limit))  # type: ignore[no-untyped-call] # the client has no annotations


def _call(method: Callable[..., T], *args: object) -> T:
    """Call a method of a plugin as an RPC.

    Raises:
        DeviceError: The plugin rejects the request or crashes. One pod then fails, and the kubelet goes on.
    """
    try:
        return method(*args)
    except AllocateError as error:
        raise DeviceError(f"rpc error: code = Unknown desc = {error}") from error
    except Exception as error:
        logger.exception("device plugin crashed in %s", method.__name__)
        raise DeviceError("rpc error: code = Unavailable desc = error reading from server: EOF") from error
