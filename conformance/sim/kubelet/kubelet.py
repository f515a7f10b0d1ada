"""The kubelets of all simulated nodes in one process."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterable
from typing import Final

from conformance.sim.clock import Clock
from conformance.sim.events import EventRecorder
from conformance.sim.kube import CONFIG_MAPS, NODES, PODS, Event, Kube, Object, PatchKind
from conformance.sim.kube.insist import insist_unless_gone
from conformance.sim.kubelet.agent import NodeAgent
from conformance.sim.kubelet.endpoint import LOOPBACK
from conformance.sim.kubelet.leases import Leases
from conformance.sim.kubelet.pod import PodWorker
from conformance.sim.kubelet.programs import Programs
from conformance.sim.kubelet.runtime import Shared
from conformance.sim.kubelet.server import KubeletServer
from conformance.sim.kubelet.statuswriter import StatusWriter
from conformance.sim.node import SimNode
from conformance.sim.tasks import Tasks
from conformance.spec.times import api_time

MONITOR_GRACE_SECONDS: Final = 50.0
"""Cluster seconds without a sign of a kubelet until its node is not Ready (node-monitor-grace-period)."""


class Kubelet:
    """Joins simulated nodes to a cluster and runs the pods that are bound to them.

    All nodes share one event loop, one set of informers and one HTTPS endpoint for logs and exec.

    Args:
        kube: API client.
        clock: The cluster's clock.
        programs: The programs of containers.
        address: Address of the nodes, at which the API server reaches this process.
        normal_events: Whether to write events of type Normal.
    """

    def __init__(
        self, kube: Kube, clock: Clock, programs: Programs, address: str = LOOPBACK, *, normal_events: bool = False
    ) -> None:
        self._kube = kube.named("kubelet")
        self._clock = clock
        self._programs = programs
        self._agents: dict[str, NodeAgent] = {}
        self._leases = Leases(self._kube)
        self._events = EventRecorder(self._kube, clock, "kubelet", normal=normal_events)
        self._statuses = StatusWriter(self._kube, clock, address)
        self._server = KubeletServer(self.find_worker, programs, clock, address)
        self._tasks = Tasks()
        self._shared: Shared | None = None

    async def start(self, nodes: Iterable[SimNode] = ()) -> None:
        """Open the endpoint, start the informers and join these nodes; `add` can join more."""
        pods, config_maps = self._kube.informer(PODS), self._kube.informer(CONFIG_MAPS)
        endpoint = await self._server.start()
        await asyncio.gather(pods.synced.wait(), config_maps.synced.wait())
        self._shared = Shared(
            kube=self._kube,
            clock=self._clock,
            programs=self._programs,
            pods=pods,
            config_maps=config_maps,
            events=self._events,
            statuses=self._statuses,
            endpoint=endpoint,
            addresses=itertools.count(1),
        )
        pods.on_change(self._pod_changed)
        await asyncio.gather(*(self.add(node) for node in nodes))

    async def add(self, node: SimNode) -> None:
        """Join one more node to the cluster; `start` must have been called."""
        if self._shared is None:
            raise RuntimeError("the kubelet has not been started")
        agent = NodeAgent(self._shared, node)
        await agent.start()
        self._agents[node.name] = agent
        await self._leases.add(node.name)

    async def stop(self) -> None:
        """End all programs without updating the cluster, as if the nodes had lost their network."""
        await asyncio.gather(*(agent.stop() for agent in self._agents.values()))
        await self._tasks.stop()
        await self._leases.stop()
        await self._statuses.stop()
        await self._events.stop()
        await self._server.stop()

    async def lose(self, name: str) -> None:
        """End everything on a node without telling anybody. It becomes not Ready after the grace period."""
        await self._agents.pop(name).stop()
        self._tasks.spawn(self._miss(name), f"absence of node {name}")

    async def _miss(self, name: str) -> None:
        """What the node lifecycle controller does with a node that it does not hear of (Kubernetes v1.36)."""
        await self._clock.sleep(MONITOR_GRACE_SECONDS)
        told = {"status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}
        condition = {"type": "Ready", "lastTransitionTime": api_time(self._clock.time())} | told
        controller = self._kube.named("kube-controller-manager")
        status = {"status": {"conditions": [condition]}}
        await insist_unless_gone(
            lambda: controller.patch(NODES, name, status, None, "status", kind=PatchKind.STRATEGIC)
        )
        taints = [{"key": "node.kubernetes.io/unreachable", "effect": effect} for effect in ("NoSchedule", "NoExecute")]
        spec = {"spec": {"taints": taints}}
        await insist_unless_gone(lambda: controller.patch(NODES, name, spec, kind=PatchKind.STRATEGIC))

    async def leave(self) -> None:
        """Remove the nodes and their pods from the cluster; call it before `stop`."""
        for agent in self._agents.values():
            for worker in tuple(agent.workers.values()):
                await agent.runtime.remove(worker.pod)
            name = agent.node.name
            await insist_unless_gone(lambda name=name: self._kube.delete(NODES, name))  # type: ignore[misc]

    def find_worker(self, namespace: str, name: str) -> PodWorker | None:
        """Return the running pod of this name; None if no node of this process runs it."""
        pod = self._kube.informer(PODS).get(name, namespace)
        if pod is None or (agent := self._agents.get(pod["spec"].get("nodeName", ""))) is None:
            return None
        return agent.workers.get(pod["metadata"]["uid"])

    def _pod_changed(self, event: Event, _: Object | None, pod: Object) -> None:
        agent = self._agents.get(pod["spec"].get("nodeName") or "")
        if agent is None:
            return
        if event is Event.DELETED:
            agent.pod_gone(pod)
        else:
            agent.pod_seen(pod)
