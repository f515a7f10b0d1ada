"""Brings nodes to a configuration by the safe protocol of mig-manager.md 7 (mig-parted v0.15.0)."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from conformance.cluster.asking import Ask
from conformance.cluster.changes import Change
from conformance.cluster.client import Cluster
from conformance.cluster.errors import WaitTimeout
from conformance.cluster.evidence import Reconfiguration
from conformance.cluster.manager_log import LogEnd, log_end, manager_pod
from conformance.cluster.users import refuse_users
from conformance.spec.names import MIG_CONFIG_STATE, State

T = TypeVar("T")

_BUSY = (State.PENDING, State.REBOOTING)
_AT_ONCE = 8
"""Nodes that are written to or read at the same time."""
_SWEEP_EVERY = 0.1
"""Real seconds between two looks at every node."""
_LOG_PAUSE = 1.0
"""Seconds of the cluster's clock between two looks at a log, which nothing announces."""


def reconfigure(cluster: Cluster, wanted: Mapping[str, str], *, settle: bool = True) -> dict[str, Reconfiguration]:
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
    asks = {node: Ask(cluster, node, configuration, ends[node]) for node, configuration in wanted.items()}
    _together(Ask.put, asks.values())
    _await_answers(cluster, asks)
    if settle:
        _await_rest(cluster, asks)
    return dict(zip(asks, _together(Ask.evidence, asks.values()), strict=True))


def _await_idle(cluster: Cluster, nodes: Iterable[str]) -> dict[str, LogEnd | None]:
    for node in nodes:
        cluster.wait(
            lambda node=node: _ready(cluster, node),  # type: ignore[misc] # binds the loop's variable
            "mig-manager to be Ready and idle",
            cluster.limits.manager_ready,
            node=node,
            last_seen=lambda node=node: _manager_state(cluster, node),  # type: ignore[misc]
            look_at=f"pods app=nvidia-mig-manager in namespace {cluster.operator_namespace}, and their logs",
        )
    return {node: _idle_log(cluster, node) for node in nodes}


def _ready(cluster: Cluster, node: str) -> bool:
    pod = manager_pod(cluster, node)
    return pod is not None and pod.ready and cluster.node(node).labels.get(MIG_CONFIG_STATE) not in _BUSY


def _manager_state(cluster: Cluster, node: str) -> str:
    pod = manager_pod(cluster, node)
    seen = f"pod {pod} {'Ready' if pod.ready else 'not Ready'}, phase {pod.phase}" if pod else "no pod of mig-manager"
    return f"{seen}; state {cluster.node(node).labels.get(MIG_CONFIG_STATE, 'absent')}"


def _idle_log(cluster: Cluster, node: str) -> LogEnd | None:
    """Wait until the log says that nothing is under way: the answer to an older request must not pass for ours."""
    begun = cluster.clock.now()
    while True:
        pod = manager_pod(cluster, node)
        end = log_end(cluster, pod) if pod is not None else None
        if end is None or not end.busy:
            return end
        passed = cluster.clock.now() - begun
        if passed > cluster.limits.manager_ready:
            raise WaitTimeout(
                "mig-manager to end a reconfiguration that was under way",
                node=node,
                seconds=passed,
                last_seen=_manager_state(cluster, node),
                look_at=f"kubectl logs -n {cluster.operator_namespace} {pod.name if pod else ''}",
                timeline=cluster.timeline.render(node=node, last=10),
            )
        cluster.observe(lambda: False, _LOG_PAUSE, "mig-manager to be idle", node)


def _await_answers(cluster: Cluster, asks: Mapping[str, Ask]) -> None:
    names = ", ".join(sorted({ask.configuration for ask in asks.values()}))
    _await_all(cluster, asks, lambda ask: ask.answered is not None, f"mig-manager's answer to {names}")


def _await_rest(cluster: Cluster, asks: Mapping[str, Ask]) -> None:
    answered = {node: ask for node, ask in asks.items() if ask.answered is not None}
    _together(Ask.begin_rest, answered.values())
    _await_all(cluster, answered, Ask.is_at_rest, "the operands to be back")


def _await_all(cluster: Cluster, asks: Mapping[str, Ask], done: Callable[[Ask], bool], what: str) -> None:
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
