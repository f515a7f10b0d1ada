"""The pods of a stand: DaemonSets of the operands, and what stands in for scheduler and kubelet."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from conformance.sim.clock import Clock
from conformance.sim.kube import PODS, Event, Kube, KubeError, Object
from conformance.sim.tasks import Tasks
from conformance.spec import names

LINGER = 0.3
"""Simulated seconds that a pod takes to end."""
OPERANDS = {
    names.DEVICE_PLUGIN_APP: names.DEPLOY_PREFIX + "device-plugin",
    names.FEATURE_DISCOVERY_APP: names.DEPLOY_PREFIX + "gpu-feature-discovery",
    names.DCGM_EXPORTER_APP: names.DEPLOY_PREFIX + "dcgm-exporter",
    names.DCGM_APP: names.DEPLOY_PREFIX + "dcgm",
    names.VALIDATOR_APP: names.DEPLOY_PREFIX + "operator-validator",
}
"""App label of a DaemonSet's pods to the node label that it selects."""
NEVER = float("inf")
_STAGES = {"bind": "", "run": "bound", "end": "terminating"}
"""What the recorder called the stages of a pod's life at their beginning."""
_CONTAINER = {"name": "main", "image": "registry.example/main:1"}


class StandInKubelet:
    """Binds pods, lets them run at once, and ends them after a while.

    Attributes:
        told: App label to what happened to its pods: `bound`, `terminating`, `gone`.

    Args:
        kube: Client.
        clock: Measures how long a pod takes to end.
        node: The only node.
        lingering: App label to the seconds that such pods take to end, where that is not `LINGER`.
        changed: Called after every change of a pod.
    """

    def __init__(
        self, kube: Kube, clock: Clock, node: str, lingering: Mapping[str, float], changed: Callable[[], None]
    ) -> None:
        self.told: dict[str, list[str]] = {}
        self._kube = kube
        self._clock = clock
        self._node = node
        self._lingering = lingering
        self._changed = changed
        self._handled: set[tuple[str, str]] = set()
        self._tasks = Tasks()
        self._pods = kube.informer(PODS)

    async def start(self) -> None:
        """Take on the pods that are there and those to come."""
        await self._pods.synced.wait()
        self._pods.on_change(self._pod_changed)

    async def stop(self) -> None:
        """Let all pods be."""
        await self._tasks.stop()

    @property
    def running(self) -> set[str]:
        """App labels of the pods that run."""
        pods = self._pods.cache.values()
        return {pod["metadata"]["labels"]["app"] for pod in pods if pod["status"].get("phase") == "Running"}

    def _pod_changed(self, event: Event, _: Object | None, pod: Object) -> None:
        """Do as scheduler and kubelet would, once for each stage of a pod's life."""
        self._changed()
        meta = pod["metadata"]
        if event is Event.DELETED:
            self._tell(pod, "gone")
            return
        stages: dict[str, Callable[[Object], Coroutine[Any, Any, None]]] = {
            "bind": self._bind, "end": self._end, "run": self._run_pod,
        }  # fmt: skip
        stage = "end" if "deletionTimestamp" in meta else "run" if pod["spec"].get("nodeName") else "bind"
        if (meta["uid"], stage) not in self._handled:
            self._handled.add((meta["uid"], stage))
            self._tell(pod, _STAGES[stage])
            self._tasks.spawn(stages[stage](pod), f"{stage} {meta['name']}")

    def _tell(self, pod: Object, what: str) -> None:
        app = pod["metadata"]["labels"]["app"]
        if what and app != names.MIG_MANAGER_APP:
            self.told.setdefault(app, []).append(what)

    async def _bind(self, pod: Object) -> None:
        meta = pod["metadata"]
        await self._kube.bind(meta["namespace"], meta["name"], self._node, meta["uid"])

    async def _run_pod(self, pod: Object) -> None:
        meta = pod["metadata"]
        await self._kube.patch(PODS, meta["name"], {"status": {"phase": "Running"}}, meta["namespace"], "status")

    async def _end(self, pod: Object) -> None:
        meta = pod["metadata"]
        seconds = self._lingering.get(meta["labels"]["app"], LINGER)
        if seconds == NEVER:
            return
        await self._clock.sleep(seconds)
        try:
            await self._kube.delete(PODS, meta["name"], meta["namespace"], grace_seconds=0, uid=meta["uid"])
        except KubeError as error:
            if not error.not_found:
                raise


def daemon_set(app: str, selects: str) -> dict[str, Any]:
    """A DaemonSet whose pods carry the app label, on nodes that have the label `selects`."""
    labels = {"app": app}
    spec = {"nodeSelector": {selects: "true"}, "tolerations": [{"operator": "Exists"}], "containers": [_CONTAINER]}
    return {
        "metadata": {"name": app, "namespace": names.OPERATOR_NAMESPACE},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}},
    }


def pod(app: str, node: str) -> dict[str, Any]:
    """A pod that belongs to nobody."""
    meta = {"name": app, "namespace": names.OPERATOR_NAMESPACE, "labels": {"app": app}}
    return {"metadata": meta, "spec": {"nodeName": node, "containers": [_CONTAINER]}}
