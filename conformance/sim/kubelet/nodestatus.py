"""Registration and status of the Node object."""

from __future__ import annotations

import math
import zlib
from typing import Final

from conformance.sim.clock import Timer
from conformance.sim.kube import NODES, Kube, KubeError, Object, PatchKind
from conformance.sim.kube.insist import insist, insist_unless_gone
from conformance.sim.kubelet.endpoint import Endpoint
from conformance.sim.kubelet.nodeobject import (
    default_labels,
    node_object,
    node_status,
    quantities,
    ready_condition,
)
from conformance.sim.node import SimNode
from conformance.sim.tasks import Tasks

PERIOD_SECONDS: Final = 10.0
"""Cluster seconds between two updates of the status (nodeStatusUpdateFrequency)."""


class NodeStatus:
    """The Node object of one node.

    Device quantities are read every ten seconds, at a different offset for each node. Updates are skipped while nothing
    can have changed, so that an idle node costs nothing; an unchanged status is not written.
    """

    def __init__(self, kube: Kube, node: SimNode, endpoint: Endpoint) -> None:
        self._kube = kube
        self._node = node
        self._endpoint = endpoint
        self._written: Object = {}
        self._timer: Timer | None = None
        self._tasks = Tasks()
        self._phase = zlib.crc32(node.name.encode()) % 1000 / 1000 * PERIOD_SECONDS

    async def register(self) -> None:
        """Create the Node object, or adopt an existing one: set the labels that every kubelet sets, and its status.

        Labels of the node's own, and its taints, come with a new object only. Source: kubernetes v1.36,
        pkg/kubelet/kubelet_node_status.go, tryRegisterWithAPIServer and updateDefaultLabels.
        """
        if not await self._create():
            labels: Object = {"metadata": {"labels": default_labels(self._node)}}
            await insist_unless_gone(lambda: self._kube.patch(NODES, self._node.name, labels))
            self._written = quantities(self._node)
            await self._patch(node_status(self._node, self._endpoint))
        self._node.devices.on_change = self.plan
        self.plan()

    async def register_if_gone(self) -> None:
        """Create the Node object if there is none: a kubelet does so only when it starts."""
        await self._create()

    async def _create(self) -> bool:
        """Create the Node object; return False if there is one."""
        now, body = quantities(self._node), node_object(self._node, self._endpoint)
        try:
            await insist(lambda: self._kube.create(NODES, body))
        except KubeError as error:
            if not error.already_exists:
                raise
            return False
        self._written = now
        return True

    def plan(self) -> None:
        """Schedule an update at the next interval, and another one when a grace period ends."""
        self._plan_at(self._node.clock.now())

    def report(self) -> None:
        """Update the status now, and at the next interval again."""
        self._forget_timer()
        self._look()
        self.plan()

    async def not_ready(self) -> None:
        """Set the node not ready, and write nothing until `register`."""
        self._forget_timer()
        self._node.devices.on_change = lambda: None
        await self._patch({"conditions": [ready_condition(self._node, ready=False)]})

    async def stop(self) -> None:
        """Write nothing from now on, even when device plugins stop."""
        self._node.devices.on_change = lambda: None
        self._forget_timer()
        await self._tasks.stop()

    def _plan_at(self, moment: float) -> None:
        self._forget_timer()
        grid = math.floor((moment - self._phase) / PERIOD_SECONDS + 1) * PERIOD_SECONDS + self._phase
        self._timer = self._node.clock.call_later(grid - self._node.clock.now(), self._look)

    def _look(self) -> None:
        self._timer = None
        now = quantities(self._node)
        if now != self._written:
            self._written = now
            self._tasks.spawn(self._patch(now), f"status of node {self._node.name}")
        if (expiry := self._node.devices.next_expiry()) is not None:
            self._plan_at(expiry)

    async def _patch(self, status: Object) -> None:
        request = {"status": status}
        await insist_unless_gone(
            lambda: self._kube.patch(NODES, self._node.name, request, None, "status", PatchKind.STRATEGIC)
        )

    def _forget_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
