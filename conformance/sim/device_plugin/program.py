"""The program `nvidia-device-plugin`: enumerates devices at startup and after each restart of the kubelet."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from conformance.sim.container import Container
from conformance.sim.device_plugin.cdi import FILE
from conformance.sim.device_plugin.klog import Klog
from conformance.sim.device_plugin.options import FlagError, SettingsError
from conformance.sim.device_plugin.server import ResourceServer
from conformance.sim.device_plugin.settings import read_settings
from conformance.sim.device_plugin.start import Started, StartError, start
from conformance.sim.device_plugin.versions import behaviour_of, settings_as_read_by
from conformance.sim.node import MANAGER_LOOKED, SimNode
from conformance.sim.nvml import Nvml
from conformance.sim.plugin_api import Device

_STRATEGY: Final = "/run/nvidia/plugin-strategy"
"""Where a plugin with the fault `plugin-repartitions` notes its strategy."""
COLD_START_TRIES: Final = 24
COLD_START_SECONDS: Final = 5.0
"""Cluster seconds between two looks, and their number, while the plugin of a machine that has rebooted starts. In the
simulated cluster mig-manager is done first; in a real one nothing guarantees that (gpu-operator issue 2670)."""
LATE_SECONDS: Final = 30.0
"""Cluster seconds for which a plugin with the fault `plugin-not-ready` registers before it can serve."""
_SOCKETS: Final = "/var/lib/kubelet/device-plugins"
_CONTROL_NODES: Final = ("/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools", "/dev/nvidia-modeset")


async def device_plugin(container: Container) -> int:
    """Serve the devices of the container's node until SIGTERM; SIGHUP makes it read its configuration again.

    It does not notice changes of the geometry: only a restart enumerates again.

    Returns:
        0 after SIGTERM; 1 if the settings or the geometry cannot be served, with the reason in the log.
    """
    log = Klog(container.log, container.clock.time)
    again = not await _stopped_while_cold(container)
    while again:
        try:
            started = _start(container, log)
        except FlagError as error:
            log.failure("main.go:198", str(error))
            return 1
        except (SettingsError, StartError) as error:
            log.failure("main.go:198", f"error starting plugins: {error}")
            return 1
        again = await _serve(container, started.servers, log)
    return 0


async def _stopped_while_cold(container: Container) -> bool:
    """After a reboot, wait until mig-manager has applied the label once; return whether SIGTERM came first."""
    if not container.node.hardware.rebooted:
        return False
    for _ in range(COLD_START_TRIES):
        if MANAGER_LOOKED in container.node.files:
            return False
        with suppress(TimeoutError):
            return await container.clock.wait(container.stop, COLD_START_SECONDS)
    return False


def _start(container: Container, log: Klog) -> Started:
    node = container.node
    env = dict(container.env)
    if node.faults.on("plugin-prefers-file") and "CONFIG_FILE" in env:
        env.pop("MIG_STRATEGY", None)
    settings = read_settings(container.command, env, container.files, log)
    if node.faults.on("plugin-repartitions"):
        _repartition(node, settings.strategy)
    started = start(
        Nvml(node.hardware, container.visible),
        settings_as_read_by(container.version, settings),
        behaviour_of(container.version),
        faults=node.faults,
        log=log,
        control_nodes=_CONTROL_NODES,
    )
    if started.cdi is not None:
        node.files[FILE] = json.dumps(started.cdi)
    return started


def _repartition(node: SimNode, strategy: str) -> None:
    """Remove the newest MIG device of the node if the strategy is not that of the plugin before."""
    before, node.files[_STRATEGY] = node.files.get(_STRATEGY, strategy), strategy
    gpu = next((gpu for gpu in node.hardware.gpus if gpu.instances), None)
    if before != strategy and gpu is not None:
        newest = gpu.created[-1]
        newest.compute_instances.clear()
        gpu.destroy_instance(newest)


async def _serve(container: Container, servers: Sequence[ResourceServer], log: Klog) -> bool:
    """Keep the servers registered; return True if the plugin has to start again: the kubelet restarted, or SIGHUP."""
    devices = container.node.devices
    if container.node.faults.on("plugin-not-ready"):
        _serve_later(container, servers)
    if container.node.faults.on("plugin-counts-up"):
        await _count_up(container, servers)
    for server in servers:
        devices.register(server.resource, server)
        log.info("server.go:149", f"Registered device plugin for '{server.resource}' with Kubelet")
    if not servers:
        log.info("main.go:416", "No devices found. Waiting indefinitely.")
    dropping = asyncio.ensure_future(_drop_out(container, servers))
    stopped = asyncio.ensure_future(container.stop.wait())
    restarted = asyncio.ensure_future(_kubelet_restart(container))
    hangup = container.node.hangup(container.pod["metadata"]["uid"])
    reloaded = asyncio.ensure_future(hangup.wait())
    try:
        await asyncio.wait({stopped, restarted, reloaded}, return_when=asyncio.FIRST_COMPLETED)
        again = not container.stop.is_set()
    finally:
        for task in (dropping, stopped, restarted, reloaded):
            task.cancel()
        for server in servers:
            devices.unregister(server.resource, server)
    if again and hangup.is_set():
        hangup.clear()
        log.info("main.go:333", "Received SIGHUP, restarting.")
    elif again:
        log.info("main.go:319", f"inotify: {_SOCKETS}/kubelet.sock created, restarting.")
    else:
        log.info("main.go:336", 'Received signal "terminated", shutting down.')
    for server in servers:
        log.info("server.go:167", f"Stopping to serve '{server.resource}' on {_SOCKETS}/{socket_name(server.resource)}")
    return again


class _FirstDevice:
    """A resource that so far has one device (the fault `plugin-counts-up`)."""

    def __init__(self, server: ResourceServer) -> None:
        self.resource = server.resource
        self.allocate = server.allocate
        self.preferred = server.preferred
        self._server = server

    def devices(self) -> Sequence[Device]:
        """Return the first device."""
        return self._server.devices()[:1]


async def _count_up(container: Container, servers: Sequence[ResourceServer]) -> None:
    for server in servers:
        container.node.devices.register(server.resource, _FirstDevice(server))
    with suppress(TimeoutError):
        await container.clock.wait(container.stop, 20.0)


async def _drop_out(container: Container, servers: Sequence[ResourceServer]) -> None:
    """Serve nothing for 25 s when the last pod gives its device back, with the fault `plugin-drops-out`."""
    devices = container.node.devices
    while container.node.faults.on("plugin-drops-out"):
        await devices.unused()
        for server in servers:
            devices.unregister(server.resource, server)
        await container.clock.sleep(25.0)
        for server in servers:
            devices.register(server.resource, server)


def _serve_later(container: Container, servers: Sequence[ResourceServer]) -> None:
    """Let the servers refuse requests for a while (the fault `plugin-not-ready`)."""
    for server in servers:
        server.is_ready = False

    def begin() -> None:
        for server in servers:
            server.is_ready = True

    container.clock.call_later(LATE_SECONDS, begin)


async def _kubelet_restart(container: Container) -> None:
    """Wait until the kubelet makes its socket anew; the plugin watches its directory."""
    if container.node.faults.on("plugin-misses-kubelet"):
        await container.stop.wait()
    await container.node.devices.restarted()


def socket_name(resource: str) -> str:
    """Return the file name of the socket for `resource`."""
    return f"nvidia-{resource.partition('/')[2]}.sock"
