"""Event objects.

Warnings are always written. What goes well (Scheduled, Pulled, Created, Started) would double the writes for every pod,
so it is written only where somebody may look: in the cluster of `python -m conformance.sim`.
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
        normal: Whether to write events of type Normal, too.
    """

    def __init__(self, kube: Kube, clock: Clock, component: str, *, normal: bool = False) -> None:
        self._kube = kube
        self._clock = clock
        self._component = component
        self._normal = normal
        self._tasks = Tasks()
        self._count = itertools.count(1)

    def warn(self, resource: Resource, about: Object, reason: str, message: str, host: str = "") -> None:
        """Write a warning about an object; `host` is the node that reports it, empty for none."""
        self._record("Warning", resource, about, reason, message, host, "")

    def note(
        self, resource: Resource, about: Object, reason: str, message: str, host: str = "", part: str = ""
    ) -> None:
        """Write that something went well, if such events are wanted; `part` is its field, empty for all of it."""
        if self._normal:
            self._record("Normal", resource, about, reason, message, host, part)

    def _record(
        self, kind: str, resource: Resource, about: Object, reason: str, message: str, host: str, part: str
    ) -> None:
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
                **({"fieldPath": part} if part else {}),
            },
            "type": kind,
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
