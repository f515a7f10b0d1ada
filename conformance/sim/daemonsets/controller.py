"""The controller: watches DaemonSets, nodes and pods, and creates and deletes pods."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from conformance.sim.clock import Clock
from conformance.sim.controller import ReconcileQueue, subscribed
from conformance.sim.daemonsets.placement import judge, node_of, pod_for
from conformance.sim.daemonsets.revisions import Revisions
from conformance.sim.daemonsets.rollout import FailureBackOff, Rollout, is_ending
from conformance.sim.events import EventRecorder
from conformance.sim.kube import DAEMON_SETS, NODES, PODS, Event, Key, Kube, KubeError, Object, key_of

AGENT = "kube-controller-manager"
_COMPONENT = "daemonset-controller"
"""Its name in events."""


class DaemonSets:
    """The DaemonSet controller of a cluster.

    Args:
        kube: API client; writes use the name of the real controller manager as field manager.
        clock: The cluster's clock.
        reaction: Minimum real seconds between a change and the reconcile.
        normal_events: Whether to write events of type Normal.
    """

    def __init__(self, kube: Kube, clock: Clock, reaction: float = 0.0, *, normal_events: bool = False) -> None:
        self._kube = kube.named(AGENT)
        self._clock = clock
        self._back_off = FailureBackOff()
        self._events = EventRecorder(self._kube, clock, _COMPONENT, normal=normal_events)
        self._daemon_sets = kube.informer(DAEMON_SETS)
        self._nodes = kube.informer(NODES)
        self._pods = kube.informer(PODS)
        self._revisions = Revisions(self._kube)
        self._queue: ReconcileQueue[Key] = ReconcileQueue(self._sync, clock, reaction)
        self._rollouts: dict[str, Rollout] = defaultdict(Rollout)
        self._expected: dict[str, set[str]] = defaultdict(set)

    async def run(self) -> None:
        """Run until cancelled."""
        await self._revisions.synced()
        handlers = (
            (self._daemon_sets, self._daemon_set_changed),
            (self._nodes, self._node_changed),
            (self._pods, self._pod_changed),
        )
        try:
            async with subscribed(*handlers):
                await self._queue.run()
        finally:
            await self._events.stop()

    def _daemon_set_changed(self, event: Event, old: Object | None, new: Object) -> None:
        uid = new["metadata"]["uid"]
        if event is Event.DELETED:
            self._rollouts.pop(uid, None)
            self._expected.pop(uid, None)
            return
        if old is None or _version_of(old) != _version_of(new):
            verdicts = {node["metadata"]["name"]: judge(new, node) for node in self._nodes.cache.values()}
            self._rollouts[uid].set_verdicts(verdicts)
        self._queue.add(key_of(new))

    def _node_changed(self, event: Event, _: Object | None, new: Object) -> None:
        """Queue only the DaemonSets whose verdict changes: nodes change often, mostly in irrelevant fields."""
        name = new["metadata"]["name"]
        for key, daemon_set in self._daemon_sets.cache.items():
            rollout = self._rollouts[daemon_set["metadata"]["uid"]]
            if event is Event.DELETED:
                rollout.drop_verdict(name)
            changed = event is not Event.DELETED and rollout.set_verdict(name, judge(daemon_set, new))
            if changed or event is not Event.MODIFIED:
                self._queue.add(key)

    def _pod_changed(self, event: Event, _: Object | None, new: Object) -> None:
        owner = next((ref for ref in new["metadata"].get("ownerReferences", ()) if ref.get("controller")), None)
        if owner is None or owner["kind"] != "DaemonSet":
            return
        uid = new["metadata"]["uid"]
        if event is Event.DELETED:
            self._rollouts[owner["uid"]].drop_pod(uid)
        else:
            self._rollouts[owner["uid"]].set_pod(uid, node_of(new), new)
        if event is Event.ADDED or event is Event.DELETED or is_ending(new):
            self._expected[owner["uid"]].discard(uid)
        self._queue.add((new["metadata"]["namespace"], owner["name"]))

    async def _sync(self, key: Key) -> None:
        daemon_set = self._daemon_sets.cache.get(key)
        if daemon_set is None or "deletionTimestamp" in daemon_set["metadata"]:
            return
        uid = daemon_set["metadata"]["uid"]
        if self._expected[uid]:
            return  # The watch event of the expected change requeues the key.
        revision = await self._revisions.current(daemon_set)
        rollout = self._rollouts[uid]
        todo, status = rollout.plan(daemon_set, revision), rollout.status(daemon_set, revision)
        await asyncio.gather(
            *(self._create(daemon_set, pod_for(daemon_set, node, revision)) for node in todo.create_on),
            *(self._delete(daemon_set, pod) for pod in todo.delete if self._may_go(key, pod)),
        )
        if not self._expected[uid]:
            await self._write_status(daemon_set, status)

    def _may_go(self, key: Key, pod: Mapping[str, Any]) -> bool:
        """Return whether a pod may be deleted now; a failed pod in back-off requeues the key."""
        if pod.get("status", {}).get("phase") != "Failed":
            return True
        seconds = self._back_off.remaining((key, node_of(pod)), self._clock.now())
        if seconds > 0:
            self._queue.add_later(key, seconds)
        return seconds == 0

    async def _create(self, daemon_set: Object, pod: Object) -> None:
        uid = daemon_set["metadata"]["uid"]
        created = await self._kube.create(PODS, pod)
        self._events.note(DAEMON_SETS, daemon_set, "SuccessfulCreate", f"Created pod: {created['metadata']['name']}")
        if not self._rollouts[uid].has_pod(created["metadata"]["uid"]):
            self._expected[uid].add(created["metadata"]["uid"])

    async def _delete(self, daemon_set: Object, pod: Mapping[str, Any]) -> None:
        uid, meta = daemon_set["metadata"]["uid"], pod["metadata"]
        self._expected[uid].add(meta["uid"])
        try:
            await self._kube.delete(PODS, meta["name"], meta["namespace"], uid=meta["uid"])
        except KubeError as error:
            self._expected[uid].discard(meta["uid"])
            if not error.not_found and not error.conflict:
                raise
        else:
            self._events.note(DAEMON_SETS, daemon_set, "SuccessfulDelete", f"Deleted pod: {meta['name']}")

    async def _write_status(self, daemon_set: Object, wanted: Mapping[str, int | None]) -> None:
        found = daemon_set.get("status", {})
        if any(found.get(counter) != value for counter, value in wanted.items()):
            namespace, name = key_of(daemon_set)
            await self._kube.patch(DAEMON_SETS, name, {"status": wanted}, namespace, subresource="status")


def _version_of(daemon_set: Object) -> tuple[str, int]:
    """Return what changes with the spec, but not with the status."""
    return daemon_set["metadata"]["uid"], daemon_set["metadata"]["generation"]
