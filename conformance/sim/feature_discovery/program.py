"""The program `gpu-feature-discovery`: computes the labels every minute and writes them if they changed."""

from __future__ import annotations

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
    """Label the container's node until SIGTERM; the NodeFeature object remains.

    Returns:
        0 after SIGTERM or a single run; 1 if the labels cannot be computed or written, with the reason in the log.
    """
    log = Klog(container.log, container.clock.time)
    try:
        settings = read_settings(container.command, container.env, container.files, log, env_prefixes=("GFD_", ""))
        await _run(container, settings, log)
    except (SettingsError, LabelError, KubeError) as error:
        log.failure("main.go:127", str(error))
        return 1
    return 0


async def _run(container: Container, settings: Settings, log: Klog) -> None:
    node = container.node
    nvml = Nvml(node.hardware, container.visible)
    feature = NodeFeature(container.kube, node.name, container.pod)
    timestamp = None if settings.no_timestamp else int(container.clock.time().timestamp())
    stopped, runs = False, 0
    while not stopped:
        runs += 1
        found = labels(nvml, settings, machine=node.hardware.machine, timestamp=timestamp, faults=node.faults, log=log)
        if runs % 4 == 0 and node.faults.on("gfd-labels-vanish"):
            found = {names.GFD_TIMESTAMP: found.get(names.GFD_TIMESTAMP, "")}
        await _publish(feature, found, node.faults, log)
        if settings.oneshot:
            return
        stopped = await _stopped_within(container, settings.sleep_seconds)
    log.info("main.go:311", "Received signal terminated, shutting down.")


async def _stopped_within(container: Container, seconds: float | None) -> bool:
    if seconds is None:
        return await container.stop.wait()
    try:
        return await container.clock.wait(container.stop, seconds)
    except TimeoutError:
        return False


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
