"""PodDisruptionBudgets: how many pods may be evicted now.

Does what the disruption controller of kube-controller-manager v1.36 does, with one difference: the expected number of
pods is the number of pods that match, not the scale of the controllers that own them.
"""

from __future__ import annotations

import math
from typing import Any

from conformance.sim.apiserver.objects import Object, look, replaced
from conformance.sim.apiserver.pods import FINISHED, is_ready
from conformance.sim.apiserver.records import Event, Key, ResourceKey
from conformance.sim.apiserver.registry import Registry
from conformance.sim.apiserver.selectors import selector_of
from conformance.sim.apiserver.work import WorkQueue

_BUDGETS: ResourceKey = ("policy", "poddisruptionbudgets")
_PODS: ResourceKey = ("", "pods")


def disruption_budgets_of(registry: Registry, pod: Object) -> list[Object]:
    """Return the budgets that an eviction of `pod` has to keep: none for a pod that does not run."""
    if look(pod, "status", "phase") in ("Pending", *FINISHED) or look(pod, "metadata", "deletionTimestamp"):
        return []
    budgets = registry.store.collection(_BUDGETS).records(pod["metadata"]["namespace"])
    return [budget.data for budget in budgets if selector_of(look(budget.data, "spec", "selector", default={}))(pod)]


def with_one_disruption_less(budget: Object) -> Object:
    """Return the budget after one more pod was evicted."""
    allowed = look(budget, "status", "disruptionsAllowed", default=0)
    return replaced(budget, allowed - 1, "status", "disruptionsAllowed")


class DisruptionController:
    """Keeps the status of every budget up to date."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self.queue = WorkQueue[Key](self._look_at)
        registry.store.listen(self._changed)

    def _changed(self, resource: ResourceKey, event: Event) -> None:
        budgets = self._registry.store.collection(_BUDGETS)
        if resource == _BUDGETS and event.type != "DELETED":
            self.queue.add(event.record.key)
        elif resource == _PODS and len(budgets):
            for budget in budgets.records(event.record.key[0]):
                self.queue.add(budget.key)

    def _look_at(self, key: Key) -> None:
        budgets = self._registry.store.collection(_BUDGETS)
        record = budgets.get(key)
        if record is None:
            return
        spec = record.data["spec"]
        matches = selector_of(look(spec, "selector", default={}))
        pods = [pod.data for pod in self._registry.store.collection(_PODS).records(key[0]) if matches(pod.data)]
        healthy = sum(is_ready(pod) for pod in pods)
        wanted = _wanted_healthy(spec, len(pods))
        status = {
            "currentHealthy": healthy,
            "desiredHealthy": wanted,
            "disruptionsAllowed": max(healthy - wanted, 0),
            "expectedPods": len(pods),
            "observedGeneration": look(record.data, "metadata", "generation", default=1),
        }
        if record.data.get("status") != status:
            budgets.put(replaced(record.data, status, "status"))


def _wanted_healthy(spec: Object, expected: int) -> int:
    if spec.get("maxUnavailable") is not None:
        return max(expected - _count(spec["maxUnavailable"], expected), 0)
    return _count(spec.get("minAvailable", 1), expected)


def _count(value: Any, total: int) -> int:
    """Return what a number, or a percentage of `total` that is rounded up, amounts to."""
    return math.ceil(int(value[:-1]) * total / 100) if isinstance(value, str) else int(value)
