"""The suite's view of a pod (Kubernetes API v1.36)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from conformance.cluster.views import Raw, count, timestamp
from conformance.spec.names import GPU_RESOURCE, HOSTNAME, MIG_RESOURCE_PREFIX, PREFIX

RUN_LABEL = "mig-conformance/run"
"""Label of every object that the suite creates; its value is the id of the run."""

_ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class PodView:
    """One pod as of the latest watch event.

    Attributes:
        namespace: Namespace of the pod.
        name: Name of the pod.
        uid: UID; a pod that is deleted and recreated gets a new one.
        version: resourceVersion of the object.
        created: Creation time of the object.
        node: Node the pod is bound to; None while it is unbound.
        assigned_node: Node the pod is bound to; while unbound, the only node that its node affinity allows. Empty if
            there is neither.
        labels: All labels.
        owner: Kind and name of the controller, such as `DaemonSet/nvidia-dcgm`; empty for a bare pod.
        phase: Pending, Running, Succeeded, Failed or Unknown.
        reason: `status.reason` (UnexpectedAdmissionError, Evicted, ...); empty if there is none.
        message: `status.message`, or why the scheduler cannot place the pod; empty if there is neither.
        ready: Whether the condition Ready is True.
        terminating: Whether deletion was requested while the object still exists.
        restarts: Sum of the restarts of all containers, init containers included.
        waiting: Reason why each waiting container waits (CrashLoopBackOff, PodInitializing, ...), by container name.
        exit_codes: Last exit code of each container that has terminated at least once, by container name.
        images: Image of each container as written in the spec, by container name.
        requests: Counts of the `nvidia.com/` resources that the containers request, summed over the containers.
        ready_since: Since when the pod is Ready; None if it is not, or does not say.
        disruption: Reason of the condition DisruptionTarget, such as `EvictionByEvictionAPI`; empty for none.
    """

    namespace: str
    name: str
    uid: str
    version: str
    created: datetime
    node: str | None
    assigned_node: str
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
    ready_since: datetime | None = None
    disruption: str = ""

    @property
    def app(self) -> str:
        """Value of the label `app`, which identifies the operator's pods; empty if the pod has none."""
        return self.labels.get("app", "")

    @property
    def template_hash(self) -> str:
        """Revision of the DaemonSet template that the pod was created from; empty for other pods."""
        return self.labels.get("controller-revision-hash", "")

    @property
    def run(self) -> str | None:
        """Id of the suite's run that created the pod; None for pods that the suite did not create."""
        return self.labels.get(RUN_LABEL)

    @property
    def ended(self) -> bool:
        """Whether the phase is Succeeded or Failed: no container will run again, and no device is held."""
        return self.phase in _ENDED

    @property
    def crashing(self) -> bool:
        """Whether a container ended with an error and was restarted, and the pod is not Ready."""
        return (
            self.restarts > 0
            and not self.ready
            and ("CrashLoopBackOff" in self.waiting.values() or any(self.exit_codes.values()))
        )

    @property
    def gpus(self) -> dict[str, int]:
        """Requests for GPUs or slices: resources whose names start with `nvidia.com/gpu` or `nvidia.com/mig-`."""
        return {name: n for name, n in self.requests.items() if name.startswith((GPU_RESOURCE, MIG_RESOURCE_PREFIX))}

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


def pod_view(raw: Raw) -> PodView:
    """Create the view of a raw Pod object."""
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
        assigned_node=spec.get("nodeName") or _only_node(spec),
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
        ready_since=_since(conditions.get("Ready", {})),
        disruption=_reason(conditions.get("DisruptionTarget", {})),
    )


def _since(condition: Raw) -> datetime | None:
    holds, time = condition.get("status") == "True", condition.get("lastTransitionTime")
    return timestamp(time) if holds and time else None


def _reason(condition: Raw) -> str:
    return str(condition.get("reason", "")) if condition.get("status") == "True" else ""


def _only_node(spec: Raw) -> str:
    """Return the only node that the required node affinity allows, as the pods of the suite and of DaemonSets have it.

    Empty if the affinity does not name exactly one node.
    """
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
    """Sum up the requests for extended resources. Request and limit are equal, and a limit alone is valid."""
    total: dict[str, int] = {}
    for container in containers:
        resources = container.get("resources") or {}
        for name, quantity in {**(resources.get("limits") or {}), **(resources.get("requests") or {})}.items():
            if name.startswith(PREFIX):
                total[name] = total.get(name, 0) + count(quantity)
    return total
