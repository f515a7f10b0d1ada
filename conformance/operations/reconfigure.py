"""Brings nodes to a configuration by the safe protocol of mig-manager.md 7 (mig-parted v0.15.0)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from conformance.cluster.changes import Change
from conformance.cluster.errors import WaitTimeout
from conformance.cluster.pod_view import PodView
from conformance.cluster.waiting import Deadline
from conformance.operations.asking import Ask
from conformance.operations.evidence import Reconfiguration
from conformance.operations.manager_log import LogEnd, log_end, manager_pod
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.users import refuse_users
from conformance.spec.names import MIG_CONFIG_STATE, State

T = TypeVar("T")

_IDLE = "mig-manager to be Ready and idle"
_AT_ONCE = 8
"""Nodes that are written to or read at the same time."""
_SWEEP_EVERY = 0.1
"""Real seconds between two looks at every node."""
_LOG_PAUSE = 1.0
"""Seconds of the cluster's clock between two looks at a log, which nothing announces."""


def reconfigure(
    cluster: MigCluster, wanted: Mapping[str, str], *, settle: bool = True, again: bool = True
) -> dict[str, Reconfiguration]:
    """Ask mig-manager for a configuration on each of the given nodes, on all at the same time.

    For each node: mig-manager must be Ready and idle; then the state label is removed and `mig.config` set (removed
    first where it had that value already, since mig-manager acts on changes only); then the first `success` or `failed`
    after that is the answer. A `failed` ends the wait for its node at once. What the product does wrong is evidence,
    not an exception.

    Args:
        cluster: The cluster.
        wanted: Configuration by node name.
        settle: Also wait until every operand that ran before is back: Ready, or known to be crashing, with a new pod
            where it was paused. The validator need only be there, since it waits for resources that a node may
            rightly not have.
        again: Also ask nodes that have the configuration, with `success`, already. While the label is gone for a
            moment an operator before v26.7.0 that is at work may set its default: do not ask again while it rolls.

    Returns:
        The evidence by node name.

    Raises:
        NodeInUseError: Pods of others hold GPUs of a node; named in the message; nothing was changed on any node.
        WaitTimeout: mig-manager is not Ready and idle within `limits.manager_ready`; nothing was changed on any node.
        ForeignChangeError: Somebody else changed `mig.config` or the strategy meanwhile.
        ApiError, UnreachableError: As everywhere.
    """
    for node in wanted:
        cluster.node(node)
    refuse_users(cluster, wanted)
    ends = _await_idle(cluster, wanted)
    cluster.guard.add(wanted)
    asks = {node: Ask(cluster, node, configuration, ends[node], again=again) for node, configuration in wanted.items()}
    _together(Ask.put, asks.values())
    _await_answers(cluster, asks)
    if settle:
        _await_rest(cluster, asks)
    return dict(zip(asks, _together(Ask.evidence, asks.values()), strict=True))


def _await_idle(cluster: MigCluster, nodes: Iterable[str]) -> dict[str, LogEnd | None]:
    return {node: _Manager(cluster, node).await_idle() for node in nodes}


class _Manager:
    """mig-manager of one node, before it is asked for something.

    It must not be at work: the answer to an older request would pass for ours. Its log tells best, since a state of
    `pending` may be left over from a run that it gave up (gpu-operator issue 2833); where the log says nothing
    or may not be read, the state must do. `rebooting` is believed in any case.
    """

    def __init__(self, cluster: MigCluster, node: str) -> None:
        self._cluster = cluster
        self._node = node
        self._deadline = Deadline(cluster.clock, cluster.limits.manager_ready, cluster.limits.patience)

    def await_idle(self) -> LogEnd | None:
        """Wait; give the end of the log, None where it may not be read."""
        pod = self._cluster.wait(self._ready_pod, _IDLE, self._deadline.limit, node=self._node, last_seen=self._seen)
        while True:
            end = log_end(self._cluster, pod)
            if not self._busy(end):
                return end
            if self._deadline.over:
                raise WaitTimeout(
                    _IDLE,
                    node=self._node,
                    seconds=self._deadline.passed,
                    last_seen=self._seen(),
                    look_at=f"kubectl logs -n {pod.namespace} {pod.name}",
                    timeline=self._cluster.timeline.render(node=self._node, last=10),
                )
            self._cluster.observe(lambda: False, _LOG_PAUSE, _IDLE, self._node)
            pod = self._ready_pod() or pod

    def _ready_pod(self) -> PodView | None:
        pod = manager_pod(self._cluster, self._node)
        return pod if pod is not None and pod.ready else None

    def _busy(self, end: LogEnd | None) -> bool:
        state = self._cluster.node(self._node).labels.get(MIG_CONFIG_STATE)
        at_work = None if end is None else end.busy
        return state == State.REBOOTING or (state == State.PENDING if at_work is None else at_work)

    def _seen(self) -> str:
        pod = manager_pod(self._cluster, self._node)
        seen = f"pod {pod} {'Ready' if pod.ready else 'not Ready'}" if pod else "no pod of mig-manager"
        return f"{seen}; state {self._cluster.node(self._node).labels.get(MIG_CONFIG_STATE, 'absent')}"


def _await_answers(cluster: MigCluster, asks: Mapping[str, Ask]) -> None:
    names = ", ".join(sorted({ask.configuration for ask in asks.values()}))
    _await_all(cluster, asks, lambda ask: ask.kept or ask.answered is not None, f"mig-manager's answer to {names}")


def _await_rest(cluster: MigCluster, asks: Mapping[str, Ask]) -> None:
    answered = {node: ask for node, ask in asks.items() if ask.answered is not None}
    _together(Ask.begin_rest, answered.values())
    _await_all(cluster, answered, Ask.is_at_rest, "the operands to be back")


def _await_all(cluster: MigCluster, asks: Mapping[str, Ask], done: Callable[[Ask], bool], what: str) -> None:
    """Wait until every node is done or over its own deadline, so the limit given here is never reached.

    After a change only the nodes that it concerns are looked at, and all of them now and then: their deadlines pass
    without any change, and with thousands of nodes a look at all of them for each change would be too dear.
    """
    waiting, seen, swept = set(asks), min((ask.mark for ask in asks.values()), default=0), 0.0

    def look() -> bool:
        nonlocal seen, swept
        fresh: dict[str, list[Change]] = {}
        for change in cluster.timeline.since(seen):
            fresh.setdefault(change.node, []).append(change)
            seen += 1
        sweep = time.monotonic() - swept >= _SWEEP_EVERY
        swept = time.monotonic() if sweep else swept
        for node in list(waiting) if sweep else waiting & fresh.keys():
            asks[node].take(fresh.get(node, ()))
            if done(asks[node]) or asks[node].deadline.over:
                waiting.discard(node)
        return not waiting

    node = next(iter(asks)) if len(asks) == 1 else None
    cluster.wait(look, what, cluster.limits.reboot + cluster.limits.reconfigure, node=node)


def _together(work: Callable[[Ask], T], asks: Iterable[Ask]) -> list[T]:
    with ThreadPoolExecutor(max_workers=_AT_ONCE, thread_name_prefix="nodes") as pool:
        return list(pool.map(work, asks))
