"""The program `gpu-feature-discovery`: computes the labels every minute and writes them if they changed."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from conformance.sim.container import Container
from conformance.sim.device_plugin.klog import Klog
from conformance.sim.device_plugin.options import SettingsError
from conformance.sim.device_plugin.settings import Settings, read_settings
from conformance.sim.faults import Faults
from conformance.sim.feature_discovery.labels import LabelError, Labels
from conformance.sim.feature_discovery.node_feature import NodeFeature, labels_of
from conformance.sim.feature_discovery.node_labels import labels
from conformance.sim.kube import KubeError
from conformance.sim.nvml import Nvml
from conformance.spec import names


async def feature_discovery(container: Container) -> int:
    """Label the container's node until SIGTERM; the NodeFeature object remains. SIGHUP makes it start again.

    Returns:
        0 after SIGTERM or a single run; 1 if the labels cannot be computed or written, with the reason in the log.
    """
    log = Klog(container.log, container.clock.time)
    again = True
    try:
        while again:
            settings = read_settings(container.command, container.env, container.files, log, env_prefixes=("GFD_", ""))
            again = await _run(container, settings, log)
    except (SettingsError, LabelError, KubeError) as error:
        log.failure("main.go:127", str(error))
        return 1
    return 0


async def _run(container: Container, settings: Settings, log: Klog) -> bool:
    """Label the node until a signal; return whether it was SIGHUP."""
    node = container.node
    hangup = node.hangup(container.pod["metadata"]["uid"])
    nvml = Nvml(node.hardware, container.visible)
    feature = NodeFeature(container.kube, node.name, container.pod)
    timestamp = None if settings.no_timestamp else int(container.clock.time().timestamp())
    runs = 0
    while not (container.stop.is_set() or hangup.is_set()):
        runs += 1
        found = labels(
            nvml,
            settings,
            machine=node.hardware.machine,
            timestamp=timestamp,
            faults=node.faults,
            log=log,
            version=container.version,
        )
        if runs % 4 == 0 and node.faults.on("gfd-labels-vanish"):
            # Without mig.capable a run that begins in this minute would find no node to look at.
            found = {name: found.get(name, "") for name in (names.GFD_TIMESTAMP, names.MIG_CAPABLE)}
        await _publish(feature, found, node.faults, log)
        if settings.oneshot:
            return False
        await _signalled_within(container, hangup, settings.sleep_seconds)
    if container.stop.is_set():
        log.info("main.go:311", "Received signal terminated, shutting down.")
        return False
    hangup.clear()
    log.info("main.go:307", "Received SIGHUP, restarting.")
    return True


async def _signalled_within(container: Container, hangup: asyncio.Event, seconds: float | None) -> None:
    """Return on SIGTERM or SIGHUP, and in any case after `seconds`; None sets no limit."""
    signals = [asyncio.ensure_future(event.wait()) for event in (container.stop, hangup)]
    either = asyncio.Event()
    for signal in signals:
        signal.add_done_callback(lambda _: either.set())
    try:
        if seconds is None:
            await either.wait()
        else:
            with suppress(TimeoutError):
                await container.clock.wait(either, seconds)
    finally:
        for signal in signals:
            signal.cancel()


async def _publish(feature: NodeFeature, found: Labels, faults: Faults, log: Klog) -> None:
    before = await feature.read()
    if faults.on("gfd-stale-labels"):
        found = labels_of(before) | found
    if faults.on("gfd-old-timestamp") and names.GFD_TIMESTAMP in (old := labels_of(before)):
        found = found | {names.GFD_TIMESTAMP: old[names.GFD_TIMESTAMP]}
    if await feature.write(found, before):
        log.info("output.go:165", f"Updating NodeFeature object {feature.name}")
    else:
        log.info("output.go:161", f"no changes in NodeFeature object {feature.name}")
