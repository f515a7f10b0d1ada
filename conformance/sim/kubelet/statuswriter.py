"""Writes the status of pods with as few requests as possible."""

from __future__ import annotations

from typing import Final

from conformance.sim.clock import Clock, Timer
from conformance.sim.kube import PODS, Kube, Object, PatchKind
from conformance.sim.kube.insist import insist_unless_gone
from conformance.sim.kubelet.podstatus import PodAtWork, revives
from conformance.sim.tasks import Tasks

PATIENCE_SECONDS: Final = 5.0
"""Maximum delay of progress before the start of a pod; if the pod starts in time, one request is enough."""


class StatusWriter:
    """Writes the status of all pods of the kubelets: one request per pod at a time, with the latest state."""

    def __init__(self, kube: Kube, clock: Clock, host_ip: str) -> None:
        self._kube = kube
        self._clock = clock
        self._host_ip = host_ip
        self._planned: dict[str, Timer] = {}
        self._writing: dict[str, bool] = {}
        self._written: dict[str, Object] = {}
        self._tasks = Tasks()

    def touch(self, worker: PodAtWork, *, soon: bool) -> None:
        """Write the status of a pod: with `soon` at the latest after `PATIENCE_SECONDS`, else now."""
        if worker.uid in self._writing:
            self._writing[worker.uid] = True
        elif not soon:
            self._forget_timer(worker.uid)
            self._writing[worker.uid] = False
            self._tasks.spawn(self._write(worker), f"status of pod {worker.description}")
        elif worker.uid not in self._planned:
            self._planned[worker.uid] = self._clock.call_later(PATIENCE_SECONDS, lambda: self.touch(worker, soon=False))

    def forget(self, uid: str) -> None:
        """Forget a pod that is gone."""
        self._forget_timer(uid)
        self._written.pop(uid, None)

    async def stop(self) -> None:
        """Stop writing."""
        for uid in tuple(self._planned):
            self._forget_timer(uid)
        await self._tasks.stop()

    async def _write(self, worker: PodAtWork) -> None:
        meta = worker.pod["metadata"]
        try:
            while True:
                self._writing[worker.uid] = False
                status = worker.status.build(worker, self._host_ip)
                written = self._written.get(worker.uid, {})
                if status != written and not revives(status, written, worker.policy):
                    self._written[worker.uid] = status
                    body = {"metadata": {"uid": worker.uid}, "status": status}
                    await self._patch(meta, body)
                if not self._writing[worker.uid]:
                    return
        finally:
            del self._writing[worker.uid]

    async def _patch(self, meta: Object, body: Object) -> None:
        await insist_unless_gone(
            lambda: self._kube.patch(PODS, meta["name"], body, meta["namespace"], "status", PatchKind.STRATEGIC)
        )

    def _forget_timer(self, uid: str) -> None:
        if timer := self._planned.pop(uid, None):
            timer.cancel()
