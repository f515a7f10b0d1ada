"""`MigCluster`: a cluster whose MIG settings this suite may change, with everything remembered before."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from conformance.cluster import paths
from conformance.cluster.client import Cluster
from conformance.cluster.clock import ClusterClock
from conformance.cluster.transport import PatchKind, Transport
from conformance.cluster.views import PolicyView
from conformance.operations.guard import Guard

_STRATEGY_FIELD = "/spec/mig/strategy"


class MigCluster(Cluster):
    """A cluster under test and the three things that this suite changes: node labels, cordons and the strategy.

    Attributes:
        guard: Notices foreign changes; asked before every look of every wait.
        remember: Called with a node's name (None: the ClusterPolicy) before this object changes it; the journal
            sets it, so that nothing is changed that was not remembered.
    """

    def __init__(self, transport: Transport, clock: ClusterClock, namespace: str) -> None:
        super().__init__(transport, clock, namespace)
        self.guard = Guard(self.timeline, self.writes)
        self.before_check = self.guard.check
        self.remember: Callable[[str | None], None] = lambda _: None

    def set_labels(self, node: str, labels: Mapping[str, str | None]) -> None:
        """Set labels of a node in one merge patch; None removes.

        Raises:
            ApiError: The server refused (403 without the role for disruptive runs).
        """
        self.remember(node)
        self.patch(paths.node(node), {"metadata": {"labels": dict(labels)}})

    def set_unschedulable(self, node: str, *, unschedulable: bool) -> None:
        """Cordon a node, or take the cordon off."""
        self.remember(node)
        self.patch(paths.node(node), {"spec": {"unschedulable": unschedulable or None}})

    def set_strategy(self, strategy: str | None) -> PolicyView:
        """Set ClusterPolicy `spec.mig.strategy`, only if it still is what the suite last saw; None removes the field.

        Returns:
            The policy as it was before.

        Raises:
            ApiError: 422 when somebody changed it meanwhile, 403 without the role for cluster-wide runs.
        """
        self.remember(None)
        policy = self.policy()
        self.patch(paths.policy(policy.name), _strategy_patch(policy, strategy), PatchKind.JSON)
        return policy


def _strategy_patch(before: PolicyView, strategy: str | None) -> Sequence[Mapping[str, Any]]:
    """JSON patch that sets `spec.mig.strategy` only if it is still as in `before`; None removes the field."""
    if before.strategy is None:
        if strategy is None:
            return []
        # The version stands for "still absent": a JSON patch cannot test for that.
        return [
            {"op": "test", "path": "/metadata/resourceVersion", "value": before.version},
            {"op": "add", "path": "/spec/mig", "value": {"strategy": strategy}},
        ]
    test = {"op": "test", "path": _STRATEGY_FIELD, "value": before.strategy}
    if strategy is None:
        return [test, {"op": "remove", "path": _STRATEGY_FIELD}]
    return [test, {"op": "replace", "path": _STRATEGY_FIELD, "value": strategy}]
