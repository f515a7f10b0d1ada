"""`MigCluster`: a cluster whose MIG settings the suite may change, recording the original state first."""

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
    """A cluster under test, with methods for the three things that the suite changes: labels, cordons, strategy.

    Attributes:
        guard: Detects changes by others; every wait calls it, with its node, before each check of its condition.
        remember: Callback that runs before every change, with the node's name or None for the ClusterPolicy.
            `Safekeeping` sets it to the journal's `remember`, so that nothing is changed before it is recorded.
    """

    def __init__(self, transport: Transport, clock: ClusterClock, namespace: str) -> None:
        super().__init__(transport, clock, namespace)
        self.guard = Guard(self.timeline, self.writes, self.limits.node_away)
        self.before_check = self.guard.check
        self.remember: Callable[[str | None], None] = lambda _: None

    def set_labels(self, node: str, labels: Mapping[str, str | None]) -> None:
        """Set labels of a node in one merge patch; a value of None removes the label.

        Raises:
            ApiError: The server rejected the patch, with status 403 if the role for disruptive runs is missing.
        """
        self.remember(node)
        self.patch(paths.node(node), {"metadata": {"labels": dict(labels)}})

    def set_unschedulable(self, node: str, *, unschedulable: bool) -> None:
        """Cordon or uncordon a node.

        Raises:
            ApiError: The server rejected the patch.
        """
        self.remember(node)
        self.patch(paths.node(node), {"spec": {"unschedulable": unschedulable or None}})

    def set_strategy(self, strategy: str | None) -> PolicyView:
        """Set `spec.mig.strategy` of the ClusterPolicy if it still has the value that the watch last reported.

        Args:
            strategy: New value; None removes the field.

        Returns:
            The ClusterPolicy before the change.

        Raises:
            ApiError: The server rejected the patch, with status 422 if somebody changed the field meanwhile, and 403
                if the role for cluster-wide runs is missing.
        """
        self.remember(None)
        policy = self.policy()
        self.patch(paths.policy(policy.name), _strategy_patch(policy, strategy), PatchKind.JSON)
        return policy


def _strategy_patch(before: PolicyView, strategy: str | None) -> Sequence[Mapping[str, Any]]:
    """Return a JSON patch that sets `spec.mig.strategy` only if it is still as in `before`; None removes the field."""
    if before.strategy is None:
        if strategy is None:
            return []
        # A JSON patch cannot test that a field is absent, so it tests that the object is unchanged.
        return [
            {"op": "test", "path": "/metadata/resourceVersion", "value": before.version},
            {"op": "add", "path": "/spec/mig", "value": {"strategy": strategy}},
        ]
    test = {"op": "test", "path": _STRATEGY_FIELD, "value": before.strategy}
    if strategy is None:
        return [test, {"op": "remove", "path": _STRATEGY_FIELD}]
    return [test, {"op": "replace", "path": _STRATEGY_FIELD, "value": strategy}]
