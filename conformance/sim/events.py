"""Event objects.

Only warnings are written. Real components also report success (Scheduled, Pulled, Created, Started), which would double
the writes for every pod.
"""

from __future__ import annotations

import itertools
import logging

from conformance.sim.clock import Clock
from conformance.sim.kube import EVENTS, Kube, KubeError, Object, Resource
from conformance.sim.kube.insist import insist
from conformance.sim.tasks import Tasks
from conformance.spec.times import api_time

logger = logging.getLogger(__name__)


class EventRecorder:
    """Writes the events of one component in the background.

    Args:
        kube: API client.
        clock: The cluster's clock.
        component: Name of the component, for example `default-scheduler`.
    """

    def __init__(self, kube: Kube, clock: Clock, component: str) -> None:
        self._kube = kube
        self._clock = clock
        self._component = component
        self._tasks = Tasks()
        self._count = itertools.count(1)

    def warn(self, resource: Resource, about: Object, reason: str, message: str, host: str = "") -> None:
        """Write a warning about an object; `host` is the node that reports it, empty for none."""
        meta = about["metadata"]
        namespace = meta.get("namespace") or "default"
        now = api_time(self._clock.time())
        event = {
            "metadata": {"name": f"{meta['name']}.{next(self._count):x}.{meta['uid'][:8]}", "namespace": namespace},
            "involvedObject": {
                "apiVersion": resource.api_version,
                "kind": resource.kind,
                "name": meta["name"],
                "namespace": meta.get("namespace", ""),
                "uid": meta["uid"],
            },
            "type": "Warning",
            "reason": reason,
            "message": message,
            "source": {"component": self._component} | ({"host": host} if host else {}),
            "reportingComponent": self._component,
            "reportingInstance": host,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
        }
        self._tasks.spawn(self._write(event), f"event {reason} of {meta['name']}")

    async def stop(self) -> None:
        """Drop events that are not written yet."""
        await self._tasks.stop()

    async def _write(self, event: Object) -> None:
        try:
            await insist(lambda: self._kube.create(EVENTS, event))
        except KubeError as error:
            logger.debug("event dropped because its namespace is terminating: %s", error)
