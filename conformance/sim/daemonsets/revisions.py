"""ControllerRevisions: the history of a DaemonSet's template, and the hash that its pods carry.

Source: Kubernetes v1.36, pkg/controller/history and pkg/controller/daemon/update.go. Old revisions are not pruned.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from conformance.sim.controller import template_hash
from conformance.sim.kube import CONTROLLER_REVISIONS, Kube


class Revisions:
    """Maintains the ControllerRevisions, so that the newest one of every DaemonSet equals its template."""

    def __init__(self, kube: Kube) -> None:
        self._kube = kube
        self._known = kube.informer(CONTROLLER_REVISIONS)
        self._newest: dict[str, tuple[int, str]] = {}  # generation of a DaemonSet and hash of its template, by uid

    async def synced(self) -> None:
        """Wait until the existing revisions are known."""
        await self._known.synced.wait()

    async def current(self, daemon_set: Mapping[str, Any]) -> str:
        """Return the hash of the current template, and make its ControllerRevision the newest one."""
        uid, generation = daemon_set["metadata"]["uid"], daemon_set["metadata"]["generation"]
        known, newest = self._newest.get(uid, (0, ""))
        if known == generation:
            return newest
        if (hashed := template_hash(daemon_set)) != newest:
            await self._make_newest(daemon_set, hashed)
        self._newest[uid] = generation, hashed
        return hashed

    async def _make_newest(self, daemon_set: Mapping[str, Any], hashed: str) -> None:
        meta = daemon_set["metadata"]
        namespace, name = meta["namespace"], f"{meta['name']}-{hashed}"
        mine = {
            item["metadata"]["name"]: item["revision"]
            for item in self._known.cache.values()
            if any(owner["uid"] == meta["uid"] for owner in item["metadata"].get("ownerReferences", ()))
        }
        newest = max(mine.values(), default=0)
        if name not in mine:
            await self._kube.create(CONTROLLER_REVISIONS, _revision(daemon_set, name, hashed, newest + 1))
        elif mine[name] != newest:
            await self._kube.patch(CONTROLLER_REVISIONS, name, {"revision": newest + 1}, namespace)


def _revision(daemon_set: Mapping[str, Any], name: str, hashed: str, number: int) -> dict[str, Any]:
    meta = daemon_set["metadata"]
    template = daemon_set["spec"]["template"]
    owner = {
        "apiVersion": "apps/v1", "kind": "DaemonSet", "name": meta["name"], "uid": meta["uid"],
        "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip
    return {
        "metadata": {
            "name": name,
            "namespace": meta["namespace"],
            "labels": dict(template["metadata"].get("labels") or {}) | {"controller-revision-hash": hashed},
            "ownerReferences": [owner],
        },
        "data": {"spec": {"template": {**template, "$patch": "replace"}}},
        "revision": number,
    }
