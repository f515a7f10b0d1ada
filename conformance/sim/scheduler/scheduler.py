"""The scheduler: binds pods to nodes, and reports why a pod cannot be scheduled."""

from __future__ import annotations

from collections import Counter
from functools import partial

from conformance.sim.clock import Clock
from conformance.sim.controller import subscribed
from conformance.sim.events import EventRecorder
from conformance.sim.faults import Faults
from conformance.sim.kube import NODES, PODS, Event, Kube, KubeError, Object, PatchKind
from conformance.sim.kube.insist import insist, insist_unless_gone
from conformance.sim.scheduler.snapshot import Snapshot
from conformance.sim.scheduler.verdict import Refusal, unschedulable_message
from conformance.sim.tasks import Tasks
from conformance.sim.workqueue import WorkQueue
from conformance.spec.times import api_time

NAME = "default-scheduler"
_ALL_DUE = "all due pods"
"""The only key of the queue: pods that become due within the reaction time are scheduled in one round."""


class Scheduler:
    """The default scheduler of a cluster.

    An unschedulable pod is retried when a node changes or a pod leaves a node; there is no timer.

    Args:
        kube: API client.
        clock: The cluster's clock.
        faults: The faults that are switched on.
        reaction: Minimum real seconds between the creation of a pod and its binding.
        normal_events: Whether to write events of type Normal.
    """

    def __init__(
        self, kube: Kube, clock: Clock, faults: Faults, reaction: float = 0.0, *, normal_events: bool = False
    ) -> None:
        self._kube = kube.named(NAME)
        self._clock = clock
        self._faults = faults
        self._snapshot = Snapshot()
        self._pending: dict[str, Object] = {}
        self._told: dict[str, tuple[Counter[Refusal], str]] = {}
        self._due: dict[str, None] = {}
        self._rounds: WorkQueue[str] = WorkQueue(self._schedule_due, reaction)
        self._events = EventRecorder(self._kube, clock, NAME, normal=normal_events)
        self._tasks = Tasks()

    async def run(self) -> None:
        """Run until cancelled; starts once nodes and pods are known."""
        nodes, pods = self._kube.informer(NODES), self._kube.informer(PODS)
        try:
            async with subscribed((nodes, self._node_changed), (pods, self._pod_changed)):
                await self._rounds.run()
        finally:
            await self._tasks.stop()
            await self._events.stop()

    def _node_changed(self, event: Event, _: Object | None, node: Object) -> None:
        if event is Event.DELETED:
            self._snapshot.drop_node(node["metadata"]["name"])
        else:
            self._snapshot.set_node(node)
        self._retry_all()

    def _pod_changed(self, event: Event, _: Object | None, pod: Object) -> None:
        uid, node = pod["metadata"]["uid"], pod["spec"].get("nodeName")
        over = event is Event.DELETED or pod.get("status", {}).get("phase") in ("Succeeded", "Failed")
        if over:
            self._forget(uid)
            if self._snapshot.free(uid):
                self._retry_all()
        elif node:
            self._forget(uid)
            self._snapshot.place(pod, node)
        elif pod["metadata"].get("deletionTimestamp"):
            self._forget(uid)
        elif _is_ours(pod) and not self._snapshot.counts(uid):
            self._queue(pod)

    def _queue(self, pod: Object) -> None:
        uid = pod["metadata"]["uid"]
        if uid not in self._pending:
            self._due[uid] = None
            self._rounds.add(_ALL_DUE)
        self._pending[uid] = pod

    def _forget(self, uid: str) -> None:
        self._pending.pop(uid, None)
        self._due.pop(uid, None)
        self._told.pop(uid, None)
        self._snapshot.forget(uid)

    def _retry_all(self) -> None:
        if self._pending:
            self._due.update(dict.fromkeys(self._pending))
            self._rounds.add(_ALL_DUE)

    async def _schedule_due(self, _: str) -> None:
        """Schedule all due pods in one round, in order of priority."""
        due = [self._pending[uid] for uid in self._due]
        self._due.clear()
        for pod in sorted(due, key=_order):
            self._schedule(pod)

    def _schedule(self, pod: Object) -> None:
        meta = pod["metadata"]
        choice = self._snapshot.choose(pod, ignore_resources=self._faults.on("scheduler-ignores-resources"))
        if isinstance(choice, str):
            self._forget(meta["uid"])
            self._snapshot.place(pod, choice)
            self._tasks.spawn(self._bind(pod, choice), f"binding of pod {meta['name']}")
            return
        refusals, told = self._told.get(meta["uid"], (None, ""))
        if choice == refusals:
            return
        message = unschedulable_message(choice, give_reasons=not self._faults.on("scheduler-gives-no-reason"))
        self._told[meta["uid"]] = choice, message
        if message != told:
            self._events.warn(PODS, pod, "FailedScheduling", message)
            self._tasks.spawn(self._tell(pod, message), f"condition of pod {meta['name']}")

    async def _bind(self, pod: Object, node: str) -> None:
        """Bind a pod that is already counted on the node; uncount it if the server rejects the binding."""
        meta = pod["metadata"]
        try:
            await insist(partial(self._kube.bind, meta["namespace"], meta["name"], node, meta["uid"]))
        except KubeError as error:
            if not (error.not_found or error.conflict):
                raise
            self._snapshot.free(meta["uid"])
            if current := self._kube.informer(PODS).get(meta["name"], meta["namespace"]):
                self._pod_changed(Event.MODIFIED, pod, current)
            self._retry_all()
        else:
            place = f"{meta['namespace']}/{meta['name']} to {node}"
            self._events.note(PODS, pod, "Scheduled", f"Successfully assigned {place}")

    async def _tell(self, pod: Object, message: str) -> None:
        meta = pod["metadata"]
        condition = {
            "type": "PodScheduled",
            "status": "False",
            "reason": "Unschedulable",
            "message": message,
            "lastTransitionTime": api_time(self._clock.time()),
        }
        body: Object = {"metadata": {"uid": meta["uid"]}, "status": {"conditions": [condition]}}
        patch = partial(self._kube.patch, PODS, meta["name"], body, meta["namespace"], "status", PatchKind.STRATEGIC)
        await insist_unless_gone(patch)


def _is_ours(pod: Object) -> bool:
    spec = pod["spec"]
    return (spec.get("schedulerName") or NAME) == NAME and not spec.get("schedulingGates")


def _order(pod: Object) -> tuple[int, str, str]:
    """Sort key of the queue: higher priority first, then older."""
    meta = pod["metadata"]
    return -(pod["spec"].get("priority") or 0), meta.get("creationTimestamp") or "", meta["name"]
