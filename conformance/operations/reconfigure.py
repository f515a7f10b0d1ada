"""Brings nodes to a configuration by the safe protocol of docs/reference/mig-manager.md#how-to-ask-safely."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.cluster.errors import WaitTimeout
from conformance.cluster.pod_view import PodView
from conformance.cluster.waiting import Deadline
from conformance.operations.evidence import Reconfiguration
from conformance.operations.manager_log import LogPosition, log_position, manager_pod
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.request import ReconfigureRequest
from conformance.operations.side_by_side import results, side_by_side
from conformance.operations.users import refuse_users
from conformance.spec.names import MIG_CONFIG_STATE, State

_IDLE = "mig-manager to be Ready and idle"
_LOG_PAUSE = 1.0
"""Seconds of the cluster's clock between two looks at a log, which nothing announces."""


def reconfigure(
    cluster: MigCluster,
    wanted: Mapping[str, str],
    *,
    settle: bool = True,
    again: bool = True,
    at_once: int | None = None,
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
        at_once: Nodes that are reconfigured at the same time at most; None for all.

    Returns:
        The evidence by node name.

    Raises:
        NodeInUseError: Pods of others hold GPUs of a node; named in the message; nothing was changed on any node.
        WaitTimeout: mig-manager of a node is not Ready and idle in time; that node was left alone.
        ForeignChangeError: Somebody else changed `mig.config` or the strategy meanwhile.
        ApiError, UnreachableError: As everywhere.
    """
    for node in wanted:
        cluster.node(node)
    refuse_users(cluster, wanted)
    cluster.guard.add(wanted)

    def one(node: str) -> Reconfiguration:
        return reconfigure_node(cluster, node, wanted[node], settle=settle, again=again)

    return results(side_by_side(cluster, wanted, one, at_once=at_once))


def reconfigure_node(
    cluster: MigCluster, node: str, configuration: str, *, settle: bool = True, again: bool = True
) -> Reconfiguration:
    """Do for one node what `reconfigure` does for several."""
    refuse_users(cluster, [node])
    end = _Manager(cluster, node).await_idle()
    cluster.guard.add([node])
    request = ReconfigureRequest(cluster, node, configuration, end, again=again)
    request.put()
    limit = cluster.limits.reboot + cluster.limits.reconfigure  # never reached: the request knows its own
    cluster.wait(request.is_answered, f"mig-manager's answer to {configuration}", limit, node=node)
    if settle and request.answered is not None:
        request.begin_rest()
        cluster.wait(request.is_at_rest, "the operands to be back", limit, node=node)
    return request.evidence()


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

    def await_idle(self) -> LogPosition | None:
        """Wait; give the end of the log, None where it may not be read."""
        pod = self._cluster.wait(self._ready_pod, _IDLE, self._deadline.limit, node=self._node, last_seen=self._seen)
        while True:
            end = log_position(self._cluster, pod)
            if not self._busy(end):
                return end
            if self._deadline.expired:
                raise WaitTimeout(
                    _IDLE,
                    node=self._node,
                    seconds=self._deadline.elapsed,
                    last_seen=self._seen(),
                    look_at=f"kubectl logs -n {pod.namespace} {pod.name}",
                    timeline=self._cluster.timeline.render(node=self._node, last=10),
                )
            self._cluster.observe(lambda: False, _LOG_PAUSE, _IDLE, self._node)
            pod = self._ready_pod() or pod

    def _ready_pod(self) -> PodView | None:
        pod = manager_pod(self._cluster, self._node)
        return pod if pod is not None and pod.ready else None

    def _busy(self, end: LogPosition | None) -> bool:
        state = self._cluster.node(self._node).labels.get(MIG_CONFIG_STATE)
        at_work = None if end is None else end.busy
        return state == State.REBOOTING or (state == State.PENDING if at_work is None else at_work)

    def _seen(self) -> str:
        pod = manager_pod(self._cluster, self._node)
        seen = f"pod {pod} {'Ready' if pod.ready else 'not Ready'}" if pod else "no pod of mig-manager"
        return f"{seen}; state {self._cluster.node(self._node).labels.get(MIG_CONFIG_STATE, 'absent')}"
