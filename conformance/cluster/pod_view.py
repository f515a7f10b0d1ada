"""What the suite keeps of a pod (Kubernetes API v1.36)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from conformance.cluster.views import Raw, count, timestamp
from conformance.spec.names import GPU_RESOURCE, HOSTNAME, MIG_RESOURCE_PREFIX, PREFIX

RUN_LABEL = "mig-conformance/run"
"""Carried by every object that the suite makes; the value is the id of the run."""

_ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class PodView:
    """One pod as the watch last showed it.

    Attributes:
        namespace: Namespace of the pod.
        name: Name of the pod.
        uid: A pod that was deleted and made anew has another.
        version: resourceVersion of the object.
        created: When the object was made.
        node: The node it is bound to; None while Pending and unbound.
        home: The node it is bound to, else the one node that its affinity allows; empty where that is not one.
        labels: All labels.
        owner: Kind and name of the controller, `DaemonSet/nvidia-dcgm`; empty for a bare pod.
        phase: Pending, Running, Succeeded, Failed or Unknown.
        reason: `status.reason` (UnexpectedAdmissionError, Evicted, ...); empty where there is none.
        message: `status.message`, or why the scheduler cannot place it; empty where there is none.
        ready: Condition Ready is True.
        terminating: Deletion was asked for, the object is still there.
        restarts: Sum over its containers, init containers included.
        waiting: Reason for which each container waits, by container name (CrashLoopBackOff, PodInitializing, ...).
        exit_codes: Last exit code of each container that has ended, by container name.
        images: Image of each container by name, as the spec has it.
        requests: Whole counts of the `nvidia.com/` resources that its containers ask for, summed.
    """

    namespace: str
    name: str
    uid: str
    version: str
    created: datetime
    node: str | None
    home: str
    labels: Mapping[str, str]
    owner: str
    phase: str
    reason: str
    message: str
    ready: bool
    terminating: bool
    restarts: int
    waiting: Mapping[str, str]
    exit_codes: Mapping[str, int]
    images: Mapping[str, str]
    requests: Mapping[str, int]

    @property
    def app(self) -> str:
        """Label `app`, by which the operator's pods are known; empty where there is none."""
        return self.labels.get("app", "")

    @property
    def template_hash(self) -> str:
        """Which revision of its DaemonSet's template it was made from; empty for other pods."""
        return self.labels.get("controller-revision-hash", "")

    @property
    def run(self) -> str | None:
        """The run of the suite that made it; None for pods of others."""
        return self.labels.get(RUN_LABEL)

    @property
    def ended(self) -> bool:
        """Its containers will not run again; it holds no device any more."""
        return self.phase in _ENDED

    @property
    def crashing(self) -> bool:
        """A container has ended in error and is being restarted."""
        return (
            self.restarts > 0
            and not self.ready
            and ("CrashLoopBackOff" in self.waiting.values() or any(self.exit_codes.values()))
        )

    @property
    def gpus(self) -> dict[str, int]:
        """Requests for whole GPUs or slices; names begin with `nvidia.com/gpu` or `nvidia.com/mig-`."""
        return {name: n for name, n in self.requests.items() if name.startswith((GPU_RESOURCE, MIG_RESOURCE_PREFIX))}

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def pod_view(raw: Raw) -> PodView:
    """Read a Pod object."""
    meta, spec, status = raw["metadata"], raw.get("spec") or {}, raw.get("status") or {}
    conditions = {condition["type"]: condition for condition in status.get("conditions") or ()}
    containers = [*(spec.get("initContainers") or ()), *(spec.get("containers") or ())]
    states = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
    unplaced = conditions.get("PodScheduled", {}) if not spec.get("nodeName") else {}
    return PodView(
        namespace=meta["namespace"],
        name=meta["name"],
        uid=meta["uid"],
        version=meta["resourceVersion"],
        created=timestamp(meta["creationTimestamp"]),
        node=spec.get("nodeName"),
        home=spec.get("nodeName") or _only_node(spec),
        labels=meta.get("labels") or {},
        owner=next((f"{o['kind']}/{o['name']}" for o in meta.get("ownerReferences") or () if o.get("controller")), ""),
        phase=status.get("phase", "Pending"),
        reason=status.get("reason", ""),
        message=status.get("message") or unplaced.get("message", ""),
        ready=conditions.get("Ready", {}).get("status") == "True",
        terminating="deletionTimestamp" in meta,
        restarts=sum(state.get("restartCount", 0) for state in states),
        waiting={s["name"]: s["state"]["waiting"].get("reason", "") for s in states if "waiting" in _state(s)},
        exit_codes={s["name"]: code for s in states if (code := _exit_code(s)) is not None},
        images={container["name"]: container.get("image", "") for container in containers},
        requests=_requests(containers),
    )


def _only_node(spec: Raw) -> str:
    """Name of the node that a required node affinity names by itself, as the suite's pods and DaemonSets have it."""
    required = ((spec.get("affinity") or {}).get("nodeAffinity") or {}).get(
        "requiredDuringSchedulingIgnoredDuringExecution"
    ) or {}
    terms = required.get("nodeSelectorTerms") or ()
    rules = [rule for term in terms for field in ("matchExpressions", "matchFields") for rule in term.get(field) or ()]
    names = [
        rule["values"] for rule in rules if rule["key"] in (HOSTNAME, "metadata.name") and rule["operator"] == "In"
    ]
    return str(names[0][0]) if len(terms) == 1 and names and len(names[0]) == 1 else ""


def _state(status: Raw) -> Mapping[str, Any]:
    return status.get("state") or {}


def _exit_code(status: Raw) -> int | None:
    for state in (_state(status), status.get("lastState") or {}):
        if "terminated" in state:
            return int(state["terminated"]["exitCode"])
    return None


def _requests(containers: list[Any]) -> dict[str, int]:
    """Sum up; requests and limits of an extended resource are equal, and a limit alone is legal."""
    total: dict[str, int] = {}
    for container in containers:
        resources = container.get("resources") or {}
        for name, quantity in {**(resources.get("limits") or {}), **(resources.get("requests") or {})}.items():
            if name.startswith(PREFIX):
                total[name] = total.get(name, 0) + count(quantity)
    return total
