"""Node leases: the heartbeats that tell the control plane that its nodes are alive.

Leases are renewed in real time, regardless of the scale of the clock, because a real control plane checks them.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Final

from conformance.sim.kube import LEASES, Kube, KubeError, Object
from conformance.sim.kube.insist import insist, insist_unless_gone
from conformance.sim.tasks import Tasks
from conformance.spec.times import api_micro_time

NAMESPACE: Final = "kube-node-lease"
DURATION_SECONDS: Final = 40
RENEWAL_SECONDS: Final = 10.0
"""Real seconds between two renewals of a lease: a quarter of its duration, as in the kubelet."""


class Leases:
    """The leases of all nodes of the process; one task renews them in turn."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._nodes: list[str] = []
        self._tasks = Tasks()

    async def add(self, node: str) -> None:
        """Create the lease of a node and renew it from now on."""
        lease: Object = {
            "metadata": {"name": node, "namespace": NAMESPACE},
            "spec": {"holderIdentity": node, "leaseDurationSeconds": DURATION_SECONDS, "renewTime": _now()},
        }
        try:
            await insist(lambda: self._kube.create(LEASES, lease))
        except KubeError as error:
            if not error.already_exists:
                raise
            await self._renew(node)
        self._nodes.append(node)
        if len(self._nodes) == 1:
            self._tasks.spawn(self._renew_all(), "node leases")

    async def stop(self) -> None:
        """Stop renewing the leases, so that they expire."""
        await self._tasks.stop()

    async def _renew_all(self) -> None:
        while True:
            for node in tuple(self._nodes):
                await asyncio.sleep(RENEWAL_SECONDS / len(self._nodes))
                await self._renew(node)

    async def _renew(self, node: str) -> None:
        body = {"spec": {"holderIdentity": node, "renewTime": _now()}}
        await insist_unless_gone(lambda: self._kube.patch(LEASES, node, body, NAMESPACE))


def _now() -> str:
    return api_micro_time(datetime.now(UTC))
