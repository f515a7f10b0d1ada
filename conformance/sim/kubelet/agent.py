"""The kubelet of one node: its pods, and reboots of the machine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from conformance.sim.kube import NODES, Object, node_of
from conformance.sim.kubelet.nodestatus import NodeStatus
from conformance.sim.kubelet.pod import PodWorker
from conformance.sim.kubelet.runtime import Runtime, Shared
from conformance.sim.node import SimNode
from conformance.sim.tasks import Tasks

logger = logging.getLogger(__name__)

REBOOT_SECONDS: Final = 300.0
"""Cluster seconds from the request to reboot until the kubelet runs again. On a server with eight GPUs,
the firmware alone takes minutes."""
RESTART_SECONDS: Final = 5.0
"""Cluster seconds from the restart of the kubelet until it registers the node, if the Node object is gone."""
DEFAULT_GRACE_SECONDS: Final = 30


class NodeAgent:
    """The kubelet of one node."""

    def __init__(self, shared: Shared, node: SimNode) -> None:
        self.node = node
        self.workers: dict[str, PodWorker] = {}
        self._shared = shared
        self.runtime = Runtime(shared, node)
        self._status = NodeStatus(shared.kube, node, shared.endpoint)
        self._tasks = Tasks()
        self._down = False

    async def start(self) -> None:
        """Register the node and start the pods that are bound to it."""
        await self._status.register()
        self.node.on_reboot = self._begin_reboot
        self.node.on_kubelet_restart = self._restart_kubelet
        self._note("Starting", "Starting kubelet.")
        self._note("NodeReady", f"Node {self.node.name} status is now: NodeReady")
        for pod in self._own_pods():
            self.pod_seen(pod)

    async def stop(self) -> None:
        """End all programs without updating the API server, as if the machine lost its network."""
        self._down = True
        await self._tasks.stop()
        await self._status.stop()
        await self._end_all()

    def pod_seen(self, pod: Object) -> None:
        """Handle a pod of this node that is new or changed."""
        if self._down:
            return
        worker = self.workers.get(pod["metadata"]["uid"])
        if worker is None:
            if pod.get("status", {}).get("phase") in ("Succeeded", "Failed") and not _ending(pod):
                return
            worker = self._work_on(pod)
        worker.pod = pod
        if _ending(pod):
            worker.terminate(pod["metadata"].get("deletionGracePeriodSeconds", DEFAULT_GRACE_SECONDS))

    def pod_gone(self, pod: Object) -> None:
        """Handle the removal of a Pod object, after its termination or by a forced deletion."""
        uid = pod["metadata"]["uid"]
        if worker := self.workers.pop(uid, None):
            self._tasks.spawn(worker.gone(), f"end of pod {worker.description}")
        self._shared.statuses.forget(uid)

    def _work_on(self, pod: Object, former: PodWorker | None = None) -> PodWorker:
        worker = PodWorker(self.runtime, pod, former)
        self.workers[worker.uid] = worker
        worker.start()
        return worker

    def _own_pods(self) -> list[Object]:
        return list(self._shared.pods.select(node_of, self.node.name))

    def _begin_reboot(self, *, again: bool = False) -> None:
        if not self._down:
            self._down = True
            self._tasks.spawn(self._reboot(again=again), f"reboot of node {self.node.name}")

    async def _reboot(self, *, again: bool = False) -> None:
        """Reboot with a new boot id, and restart all pods that are still bound to the node."""
        logger.info("node %s reboots", self.node.name)
        former = self.workers
        await self._status.not_ready()
        await self._end_all()
        for path in [path for path in self.node.files if path.startswith("/run/")]:
            del self.node.files[path]
        self.node.hardware.reboot()
        await self.node.clock.sleep(REBOOT_SECONDS)
        self.node.devices.restart()
        await self._status.register()
        self._warn_rebooted()
        self._down = False
        self._start_again(former)
        if self.node.faults.on("host-reboots-twice") and not again:
            self._begin_reboot(again=True)

    def _start_again(self, former: Mapping[str, PodWorker]) -> None:
        for pod in self._own_pods():
            worker = former.get(pod["metadata"]["uid"])
            if worker is None or _ending(pod):
                self.pod_seen(pod)
            elif worker.over:
                self.workers[worker.uid] = worker
                worker.stay_over()
            else:
                self._work_on(pod, worker)

    def _restart_kubelet(self) -> None:
        """Restart the kubelet: it reports the devices of its checkpoint at once, and waits for their plugins.

        It registers the node again if somebody has deleted the Node object. Containers run on.
        """
        if not self._down:
            logger.info("kubelet of node %s restarts", self.node.name)
            self.node.devices.restart()
            self._status.report()
            self._tasks.spawn(self._register_again(), f"registration of node {self.node.name}")

    async def _register_again(self) -> None:
        await self.node.clock.sleep(RESTART_SECONDS)
        await self._status.register_if_gone()

    def _note(self, reason: str, message: str) -> None:
        self._shared.events.note(NODES, self._about(), reason, message, self.node.name)

    def _about(self) -> Object:
        """The node as events of kubelet name it: with its name as uid."""
        return {"metadata": {"name": self.node.name, "uid": self.node.name}}

    def _warn_rebooted(self) -> None:
        message = f"Node {self.node.name} has been rebooted, boot id: {self.node.hardware.boot_id}"
        self._shared.events.warn(NODES, self._about(), "Rebooted", message, self.node.name)

    async def _end_all(self) -> None:
        workers, self.workers = self.workers, {}
        await asyncio.gather(*(worker.vanish() for worker in workers.values()))


def _ending(pod: Object) -> bool:
    return bool(pod["metadata"].get("deletionTimestamp"))
