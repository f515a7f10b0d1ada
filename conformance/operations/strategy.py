"""Changes the strategy of the cluster and waits until every operand uses it.

Source: docs/reference/gpu-operator.md#change-of-strategy and docs/reference/gpu-operator.md#when-a-roll-is-over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from conformance.cluster.changes import PodChange, PodEvent
from conformance.cluster.observed import ObservedCluster
from conformance.cluster.pod_view import PodView
from conformance.cluster.views import DaemonSetView
from conformance.operations.evidence import Roll, StrategyChange
from conformance.operations.mig_cluster import MigCluster
from conformance.spec.names import (
    DEVICE_PLUGIN_APP,
    FEATURE_DISCOVERY_APP,
    MPS_CONTROL_DAEMON_APP,
    VALIDATOR_APP,
)

CARRIERS: Final = (DEVICE_PLUGIN_APP, FEATURE_DISCOVERY_APP, MPS_CONTROL_DAEMON_APP, VALIDATOR_APP)
"""DaemonSets whose template carries the strategy. A cluster need not have all of them."""
_STALLED_RESTARTS = 3
"""Number of restarts after which a crashing pod of the new template is no longer expected to become Ready."""


def change_strategy(cluster: MigCluster, strategy: str) -> StrategyChange:
    """Patch `spec.mig.strategy` of the ClusterPolicy and wait until the DaemonSets that carry it have rolled.

    If the ClusterPolicy already has the strategy, nothing is patched, but the wait for the DaemonSets takes place all
    the same. Misbehaviour of the operator or an operand is part of the evidence and raises no exception: for example a
    DaemonSet that the operator does not update, or a roll that stalls on a crashing pod.

    Args:
        cluster: The cluster.
        strategy: A strategy; empty to remove the field from the ClusterPolicy.

    Raises:
        ForeignChangeError: Somebody else changed the strategy meanwhile.
        ApiError: The server rejected the patch.
        UnreachableError: The API server does not answer.
    """
    rolling = [_Rollout(cluster, view, strategy) for view in cluster.daemon_sets() if view.name in CARRIERS]
    mark, started = cluster.timeline.mark(), cluster.clock.now()
    was = cluster.policy().strategy
    if (was or "") != strategy:
        cluster.set_strategy(strategy or None)
    _wait_for_rolls(cluster, rolling, strategy)
    rolls = {one.name: one.evidence() for one in rolling}
    problem = "; ".join(roll.problem for roll in rolls.values() if roll.problem)
    return StrategyChange(
        before=was,
        strategy=strategy,
        patched=(was or "") != strategy,
        started=started,
        finished=None if problem else cluster.clock.now(),
        rolls=rolls,
        history=cluster.timeline.since(mark),
        problem=problem,
        mark=mark,
    )


def _wait_for_rolls(cluster: MigCluster, rolling: Sequence[_Rollout], strategy: str) -> None:
    """Wait for the templates, then for the pods of those DaemonSets whose template was updated.

    A timeout raises no exception: `_Rollout.problem` reports what is missing.
    """
    cluster.give_time(
        lambda: all(one.template_updated for one in rolling),
        f"the operator to write strategy {strategy} into its DaemonSets",
        cluster.limits.strategy_seen,
    )
    updated = [one for one in rolling if one.template_updated]
    nodes = max((one.before.desired for one in updated), default=0)
    cluster.give_time(
        lambda: all(one.is_over() for one in updated),
        f"DaemonSets to roll to strategy {strategy}",
        cluster.limits.strategy_roll + cluster.limits.strategy_roll_per_node * max(nodes - 1, 0),
    )


class _Rollout:
    """One DaemonSet during a change of the strategy."""

    def __init__(self, cluster: ObservedCluster, before: DaemonSetView, strategy: str) -> None:
        self._cluster = cluster
        self._strategy = strategy
        self.name = before.name
        self.before = before
        self._pods_before = self._pods()
        self._seen = cluster.timeline.mark()
        self._restarted = False
        self._judged: DaemonSetView | None = None
        self._complete = False

    def is_over(self) -> bool:
        """Whether the roll is complete or will not proceed.

        Pods are examined only when one of the two is possible, and for completeness only after a change of this
        DaemonSet or of its pods: examining all pods after every change of a cluster would cost nodes times changes.
        """
        now = self._now
        changed = now is not self._judged
        for change in self._cluster.timeline.since(self._seen):
            self._seen = change.sequence + 1
            if isinstance(change, PodChange) and change.app == self.name:
                changed = True
                self._restarted = self._restarted or change.event is PodEvent.RESTARTED
        if changed:
            self._judged = now
            self._complete = now is not None and now.rolled and not self.problem()
        return self._complete or (self._restarted and self.stalled)

    @property
    def template_updated(self) -> bool:
        """Whether its template has the new strategy."""
        now = self._now
        return now is not None and (now.strategy or "") == self._strategy

    @property
    def stalled(self) -> bool:
        """Whether a pod of the new template keeps crashing, so that the roll does not proceed to the next node."""
        now, outdated = self._now, self._outdated
        if now is None or now.observed_generation < now.generation:
            return False
        return any(
            pod.crashing and pod.restarts >= _STALLED_RESTARTS and pod.template_hash not in outdated
            for pod in self._pods()
        )

    def problem(self) -> str:
        """Describe what is missing from a complete roll; empty if it is complete."""
        now = self._now
        if now is None:
            return f"DaemonSet {self.name} is gone"
        if (now.strategy or "") != self._strategy:
            return f"template of DaemonSet {self.name} still has MIG_STRATEGY={now.strategy}"
        if now.observed_generation < now.generation:
            return f"DaemonSet {self.name}: its controller has not observed the new template"
        pods = self._pods()
        late = [pod for pod in pods if pod.terminating or not pod.ready or pod.template_hash in self._outdated]
        if now.rolled and not late and len(pods) == now.desired:
            return ""
        states = ", ".join(f"{pod.name} on {pod.node} is {_state(pod)}" for pod in late)
        return f"DaemonSet {self.name}: {now.updated} of {now.desired} pods are of the new template; {states}"

    def evidence(self) -> Roll:
        """Summarize the roll."""
        problem = self.problem()
        return Roll(
            before=self.before,
            after=self._now or self.before,
            pods_before=tuple(self._pods_before),
            pods_after=tuple(self._pods()),
            complete=not problem,
            problem=problem,
        )

    @property
    def _now(self) -> DaemonSetView | None:
        return self._cluster.daemon_set(self.name)

    @property
    def _outdated(self) -> set[str]:
        """Hashes of pods from the old template; empty while the template is unchanged."""
        now = self._now
        changed = now is not None and now.generation != self.before.generation
        return {pod.template_hash for pod in self._pods_before} if changed else set()

    def _pods(self) -> list[PodView]:
        owner = f"DaemonSet/{self.name}"
        return [pod for pod in self._cluster.pods(namespace=self._cluster.operator_namespace) if pod.owner == owner]


def _state(pod: PodView) -> str:
    return (
        "terminating" if pod.terminating else ", ".join(pod.waiting.values()) or ("Ready" if pod.ready else pod.phase)
    )
