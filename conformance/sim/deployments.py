"""The controller of Deployments and their ReplicaSets: as many pods of each template as it asks for.

Source: Kubernetes v1.36, pkg/controller/deployment and pkg/controller/replicaset. It only runs if the cluster has no
controller manager. Of a rollout it does the strategy `Recreate`: nothing here changes a template but a person.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from functools import partial
from typing import Final

from conformance.sim.clock import Clock
from conformance.sim.controller import ReconcileQueue, subscribed, template_hash
from conformance.sim.kube import (
    DEPLOYMENTS,
    NODES,
    PODS,
    REPLICA_SETS,
    Event,
    Key,
    Kube,
    Object,
    Resource,
    key_of,
    node_of,
)
from conformance.sim.kube.insist import insist_unless_gone

AGENT: Final = "kube-controller-manager"
HASH_LABEL: Final = "pod-template-hash"
_UNREACHABLE: Final = "node.kubernetes.io/unreachable"
_FINISHED: Final = ("Succeeded", "Failed")


class Deployments:
    """The Deployment controller of a cluster, and that of the ReplicaSets of Deployments.

    Args:
        kube: API client; writes use the name of the real controller manager as field manager.
        clock: The cluster's clock.
        reaction: Minimum real seconds between a change and the reconcile.
    """

    def __init__(self, kube: Kube, clock: Clock, reaction: float = 0.0) -> None:
        self._kube = kube.named(AGENT)
        self._deployments = kube.informer(DEPLOYMENTS)
        self._replica_sets = kube.informer(REPLICA_SETS)
        self._pods = kube.informer(PODS)
        self._nodes = kube.informer(NODES)
        self._queue: ReconcileQueue[Key] = ReconcileQueue(self._sync, clock, reaction)
        self._expected: dict[str, set[str]] = defaultdict(set)  # created pods that are not in the cache yet, by owner

    async def run(self) -> None:
        """Run until cancelled."""
        handlers = (
            (self._deployments, self._deployment_changed),
            (self._replica_sets, self._replica_set_changed),
            (self._nodes, self._node_changed),
            (self._pods, self._pod_changed),
        )
        async with subscribed(*handlers):
            await self._queue.run()

    def _deployment_changed(self, event: Event, _: Object | None, new: Object) -> None:
        if event is not Event.DELETED:
            self._queue.add(key_of(new))

    def _replica_set_changed(self, _event: Event, _: Object | None, new: Object) -> None:
        if (owner := _controller(new, "Deployment")) is not None:
            self._queue.add((new["metadata"]["namespace"], owner["name"]))

    def _pod_changed(self, _event: Event, _: Object | None, new: Object) -> None:
        owner = _controller(new, "ReplicaSet")
        replica_set = owner and self._replica_sets.get(owner["name"], new["metadata"]["namespace"])
        if owner is not None and replica_set:
            self._expected[owner["uid"]].discard(new["metadata"]["uid"])
            self._replica_set_changed(Event.MODIFIED, None, replica_set)

    def _node_changed(self, event: Event, old: Object | None, new: Object) -> None:
        """Look at all Deployments if a node is gone for their pods; nodes change often, mostly in other ways."""
        if event is Event.DELETED or _is_lost(new) != _is_lost(old):
            for key in self._deployments.cache:
                self._queue.add(key)

    async def _sync(self, key: Key) -> None:
        deployment = self._deployments.cache.get(key)
        if deployment is None or "deletionTimestamp" in deployment["metadata"]:
            return
        uid, hashed = deployment["metadata"]["uid"], template_hash(deployment)
        name = f"{key[1]}-{hashed}"
        owned = [one for one in self._replica_sets.cache.values() if (_controller(one) or {}).get("uid") == uid]
        for former in (one for one in owned if one["metadata"]["name"] != name):
            await self._remove(former)
        current = next((one for one in owned if one["metadata"]["name"] == name), None)
        if current is None:
            await self._kube.create(REPLICA_SETS, _replica_set(deployment, name, hashed))
            return  # the watch event of the ReplicaSet queues the key again
        if current["spec"]["replicas"] != (replicas := deployment["spec"]["replicas"]):
            await self._kube.patch(REPLICA_SETS, name, {"spec": {"replicas": replicas}}, key[0])
            return  # so does this one
        await self._scale(current)
        await self._write_status(deployment, current)

    async def _remove(self, replica_set: Object) -> None:
        namespace, name = key_of(replica_set)
        await self._delete(self._pods_of(replica_set))
        await insist_unless_gone(partial(self._kube.delete, REPLICA_SETS, name, namespace))

    async def _scale(self, replica_set: Object) -> None:
        """Create and delete pods. A pod on a node that is lost, or that has ended, counts as gone."""
        uid, wanted = replica_set["metadata"]["uid"], replica_set["spec"]["replicas"]
        pods = [pod for pod in self._pods_of(replica_set) if "deletionTimestamp" not in pod["metadata"]]
        gone = [pod for pod in pods if self._is_gone(pod)]
        live = sorted((pod for pod in pods if not self._is_gone(pod)), key=lambda pod: not _is_ready(pod))
        await self._delete([*gone, *live[wanted:]])
        for _ in range(wanted - len(live) - len(self._expected[uid])):
            created = await self._kube.create(PODS, _pod(replica_set))
            if self._pods.get(created["metadata"]["name"], created["metadata"]["namespace"]) is None:
                self._expected[uid].add(created["metadata"]["uid"])

    async def _delete(self, pods: Iterable[Object]) -> None:
        """Delete pods; nobody is there to end one whose node is gone, so its object goes at once."""
        for pod in pods:
            (namespace, name), uid = key_of(pod), pod["metadata"]["uid"]
            grace = 0 if self._is_gone(pod) else None
            await insist_unless_gone(partial(self._kube.delete, PODS, name, namespace, grace, uid))

    def _pods_of(self, replica_set: Object) -> list[Object]:
        return list(self._pods.select(_owner_uid, replica_set["metadata"]["uid"]))

    def _is_gone(self, pod: Object) -> bool:
        node = node_of(pod)
        return pod.get("status", {}).get("phase") in _FINISHED or bool(node and _is_lost(self._nodes.get(node)))

    async def _write_status(self, deployment: Object, replica_set: Object) -> None:
        live = [pod for pod in self._pods_of(replica_set) if "deletionTimestamp" not in pod["metadata"]]
        ready = sum(map(_is_ready, live))
        counts = {"replicas": len(live), "readyReplicas": ready, "availableReplicas": ready}
        await self._patch_status(REPLICA_SETS, replica_set, counts)
        lacking = deployment["spec"]["replicas"] - ready
        await self._patch_status(
            DEPLOYMENTS, deployment, counts | {"updatedReplicas": len(live), "unavailableReplicas": max(lacking, 0)}
        )

    async def _patch_status(self, resource: Resource, item: Object, counts: dict[str, int]) -> None:
        wanted = counts | {"observedGeneration": item["metadata"]["generation"]}
        found = item.get("status") or {}
        if any(found.get(field, 0) != value for field, value in wanted.items()):
            namespace, name = key_of(item)
            await self._kube.patch(resource, name, {"status": wanted}, namespace, subresource="status")


def _controller(item: Object, kind: str | None = None) -> Object | None:
    """Return the reference to the controlling owner, if it is of this kind."""
    owners: Iterable[Object] = item["metadata"].get("ownerReferences", ())
    return next((one for one in owners if one.get("controller") and kind in (None, one["kind"])), None)


def _owner_uid(pod: Object) -> str:
    return str((_controller(pod) or {}).get("uid", ""))


def _is_lost(node: Object | None) -> bool:
    """Return whether nothing runs on a node any more: it is not there, or its kubelet has been missed for long."""
    taints: Iterable[Object] = (node or {}).get("spec", {}).get("taints") or ()
    return node is None or any(taint["key"] == _UNREACHABLE and taint["effect"] == "NoExecute" for taint in taints)


def _is_ready(pod: Object) -> bool:
    conditions = pod.get("status", {}).get("conditions", ())
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _replica_set(deployment: Object, name: str, hashed: str) -> Object:
    meta, spec = deployment["metadata"], deployment["spec"]
    template = spec["template"]
    labels = {**(template["metadata"].get("labels") or {}), HASH_LABEL: hashed}
    selector = {"matchLabels": {**spec["selector"]["matchLabels"], HASH_LABEL: hashed}}
    return {
        "metadata": {
            "name": name,
            "namespace": meta["namespace"],
            "labels": labels,
            "ownerReferences": [_reference("Deployment", meta)],
        },
        "spec": {
            "replicas": spec["replicas"],
            "selector": selector,
            "template": {**template, "metadata": {**template["metadata"], "labels": labels}},
        },
    }


def _pod(replica_set: Object) -> Object:
    meta, template = replica_set["metadata"], replica_set["spec"]["template"]
    return {
        "metadata": {
            "generateName": f"{meta['name']}-",
            "namespace": meta["namespace"],
            "labels": dict(template["metadata"]["labels"]),
            "annotations": dict(template["metadata"].get("annotations") or {}),
            "ownerReferences": [_reference("ReplicaSet", meta)],
        },
        "spec": template["spec"],
    }


def _reference(kind: str, meta: Object) -> Object:
    return {
        "apiVersion": "apps/v1", "kind": kind, "name": meta["name"], "uid": meta["uid"],
        "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip
