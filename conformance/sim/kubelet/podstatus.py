"""The `status` of a Pod object, built from the states of its containers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple, Protocol

from conformance.sim.clock import Clock
from conformance.sim.kube import Object
from conformance.sim.kubelet.containers import ContainerRunner
from conformance.sim.kubelet.states import Running, Terminated, Waiting
from conformance.spec.times import api_time


class Condition(NamedTuple):
    """One condition of a pod; `reason` and `message` are empty for none."""

    status: str
    reason: str = ""
    message: str = ""


TRUE = Condition("True")
KUBELET_CONDITIONS = ("PodScheduled", "PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady")
NOTHING_RAN = {
    **dict.fromkeys(("containerStatuses", "initContainerStatuses", "hostIP", "hostIPs", "podIP", "podIPs")),
    "conditions": [{"$patch": "delete", "type": kind} for kind in KUBELET_CONDITIONS],
}
"""Fields that a rejection removes from the status, even if the pod ran before a reboot (kubelet, rejectPod)."""


class PodAtWork(Protocol):
    """A pod as its status sees it; see `PodWorker` for the attributes."""

    pod: Object
    uid: str
    description: str
    policy: str
    ip: str
    inits: Sequence[ContainerRunner]
    mains: Sequence[ContainerRunner]
    status: StatusBuilder


class StatusBuilder:
    """Builds the status of one pod."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: dict[str, tuple[str, str]] = {}
        self._started = api_time(clock.time())
        self._failure: Object = {}

    def fail(self, reason: str, message: str) -> None:
        """Fail the whole pod, regardless of its containers."""
        self._failure = {"phase": "Failed", "reason": reason, "message": message}

    def phase_of(self, pod: PodAtWork) -> str:
        """Return the phase: Pending until all containers have started, final when none will restart."""
        if self._failure or any(init.done and not _succeeded(init) for init in pod.inits):
            return "Failed"
        if all(main.done for main in pod.mains):
            return "Succeeded" if all(_succeeded(main) for main in pod.mains) else "Failed"
        started = all(not isinstance(main.state, Waiting) or main.restarts or main.last for main in pod.mains)
        return "Running" if started else "Pending"

    def build(self, pod: PodAtWork, host_ip: str) -> Object:
        """Return the status for a strategic merge patch, which keeps the fields of other components."""
        started = pod.pod.get("status", {}).get("startTime") or self._started
        if self._failure and not pod.ip:
            return {**NOTHING_RAN, **self._failure, "startTime": started}
        phase = self.phase_of(pod)
        status: Object = {
            "phase": phase,
            "startTime": started,
            "hostIP": host_ip,
            "hostIPs": [{"ip": host_ip}],
            "conditions": [self._dated(kind, condition) for kind, condition in _conditions(pod, phase).items()],
            "containerStatuses": [_container(main, ready=isinstance(main.state, Running)) for main in pod.mains],
        }
        if pod.inits:
            status["initContainerStatuses"] = [_container(init, ready=_succeeded(init)) for init in pod.inits]
        if pod.ip:
            # After a reboot the pod has another address; the list merges by address, so the old one must go.
            status |= {"podIP": pod.ip, "podIPs": [{"$patch": "replace"}, {"ip": pod.ip}]}
        return status | self._failure

    def _dated(self, kind: str, condition: Condition) -> Object:
        """Return a condition as JSON, with the time of the last change of its status."""
        if self._since.get(kind, ("", ""))[0] != condition.status:
            self._since[kind] = (condition.status, api_time(self._clock.time()))
        written = {"type": kind, "status": condition.status, "lastTransitionTime": self._since[kind][1]}
        return written | {"reason": condition.reason or None, "message": condition.message or None}


def _container(runner: ContainerRunner, *, ready: bool) -> Object:
    image = runner.spec.get("image") or ""
    return {
        "name": runner.name,
        "image": image,
        "imageID": f"{image.partition('@')[0]}@sha256:{sha256(image.encode()).hexdigest()}" if runner.id else "",
        "containerID": runner.id,
        "state": runner.state.as_json(),
        "lastState": runner.last.as_json() if runner.last else {},
        "ready": ready,
        "started": isinstance(runner.state, Running),
        "restartCount": runner.restarts,
    }


def _succeeded(runner: ContainerRunner) -> bool:
    return isinstance(runner.state, Terminated) and runner.state.exit_code == 0


def _conditions(pod: PodAtWork, phase: str) -> dict[str, Condition]:
    waiting = " ".join(init.name for init in pod.inits if not _succeeded(init))
    unready = " ".join(main.name for main in pod.mains if not isinstance(main.state, Running))
    initialized, ready = TRUE, TRUE
    if waiting:
        initialized = Condition("False", "ContainersNotInitialized", f"containers with incomplete status: [{waiting}]")
    if phase == "Succeeded":
        initialized, ready = Condition("True", "PodCompleted"), Condition("False", "PodCompleted")
    elif phase == "Failed":
        ready = Condition("False", "PodFailed")
    elif unready:
        ready = Condition("False", "ContainersNotReady", f"containers with unready status: [{unready}]")
    sandbox = TRUE if phase in ("Pending", "Running") else Condition("False")
    own = {"PodReadyToStartContainers": sandbox, "Initialized": initialized, "Ready": ready, "ContainersReady": ready}
    return own if _was_scheduled(pod.pod) else own | {"PodScheduled": TRUE}


def revives(new: Object, old: Object, policy: str) -> bool:
    """Return whether a status says that a container runs or waits again which had terminated for good.

    A kubelet does not send such a status. The pod keeps its old one until the containers have ended again: after a
    reboot, the init containers of a pod with the policy OnFailure run a second time.
    Source: kubernetes v1.36, pkg/kubelet/status/status_manager.go, checkContainerStateTransition.
    """
    if policy == "Always":
        return False
    return any(_has_ended(item["state"], policy) for item in _alive_again(new, old))


def _alive_again(new: Object, old: Object) -> Iterator[Object]:
    """Return the old status of each container that has not terminated in the new one."""
    for kind in ("containerStatuses", "initContainerStatuses"):
        alive = {item["name"] for item in new.get(kind) or [] if "terminated" not in item["state"]}
        yield from (item for item in old.get(kind) or [] if item["name"] in alive)


def _has_ended(state: Object, policy: str) -> bool:
    ended: Object = state.get("terminated") or {}
    return bool(ended) and (policy == "Never" or ended["exitCode"] == 0)


def _was_scheduled(pod: Object) -> bool:
    """Return whether a scheduler bound the pod. A pod created with a node has no such condition yet."""
    return any(condition["type"] == "PodScheduled" for condition in pod.get("status", {}).get("conditions") or [])
