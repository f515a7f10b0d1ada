"""Reconfigures nodes by the safe protocol of docs/reference/mig-manager.md#how-to-ask-safely."""

from __future__ import annotations

from collections.abc import Mapping

from conformance.cluster.errors import WaitTimeout
from conformance.cluster.pod_view import PodView
from conformance.operations.evidence import Reconfiguration
from conformance.operations.manager_log import LOG_PAUSE, LogPosition, log_position, manager_pod
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.request import ReconfigureRequest
from conformance.operations.side_by_side import results, side_by_side
from conformance.operations.users import refuse_users
from conformance.spec.names import MIG_CONFIG_STATE, State

_IDLE = "mig-manager to be Ready and idle"


def reconfigure(
    cluster: MigCluster,
    wanted: Mapping[str, str],
    *,
    settle: bool = True,
    again: bool = True,
    at_once: int | None = None,
) -> dict[str, Reconfiguration]:
    """Request a configuration from mig-manager on each of the given nodes, in parallel.

    For each node: wait until mig-manager is Ready and idle; remove the state label and set `mig.config`; then take the
    first `success` or `failed` as the answer. If `mig.config` already has the value, it is removed first, because
    mig-manager reacts only to changes. Misbehaviour of mig-manager or an operand is part of the evidence and raises no
    exception.

    Args:
        cluster: The cluster.
        wanted: Configuration, by node name.
        settle: Whether to also wait until every operand that ran before is back: Ready or crash-looping, and in a new
            pod if it was paused. The validator's pod only has to exist, because it waits for resources that the node
            may legitimately lack.
        again: Whether to also make the request on nodes that already have the configuration with state `success`. Use
            False while the operator is rolling: such a request removes the label for a moment, and an operator before
            v26.7.0 may then set its default.
        at_once: Maximum number of nodes to reconfigure at the same time; None means the limit of `side_by_side`.

    Returns:
        The evidence, by node name.

    Raises:
        NodeInUseError: Pods of other users hold GPUs of a node; the message names them. If they were found before the
            first request, no node was changed.
        WaitTimeout: mig-manager of a node was not Ready and idle in time; that node was not changed.
        ForeignChangeError: Somebody else changed `mig.config` or the strategy meanwhile.
        ClusterError: A node does not exist, or the API server rejected a request or does not answer.
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
    """Reconfigure one node; see `reconfigure`."""
    refuse_users(cluster, [node])
    position = _Manager(cluster, node).await_idle()
    cluster.guard.add([node])
    request = ReconfigureRequest(cluster, node, configuration, position, again=again)
    request.send()
    limit = cluster.limits.reboot + cluster.limits.reconfigure  # only an upper bound: the request has its own deadline
    cluster.wait(request.is_answered, f"mig-manager's answer to {configuration}", limit, node=node)
    if settle and request.answered is not None:
        request.start_settling()
        cluster.wait(request.is_at_rest, "the operands to be back", limit, node=node)
    return request.evidence()


class _Manager:
    """mig-manager of one node, before a request.

    It must be idle, or its answer to an earlier request would be taken for the answer to ours. The log is the best
    evidence: the state `pending` may be left over from an attempt that mig-manager abandoned (gpu-operator issue 2833).
    If the log does not show it or may not be read, the state decides. The state `rebooting` always means busy.
    """

    def __init__(self, cluster: MigCluster, node: str) -> None:
        self._cluster = cluster
        self._node = node
        self._deadline = cluster.deadline(cluster.limits.manager_ready)

    def await_idle(self) -> LogPosition | None:
        """Wait until mig-manager is Ready and idle. Return the end of its log, or None if that may not be read."""
        pod = self._cluster.wait(self._ready_pod, _IDLE, self._deadline.limit, node=self._node, last_seen=self._seen)
        while True:
            position = log_position(self._cluster, pod)
            if not self._busy(position):
                return position
            if self._deadline.expired:
                raise WaitTimeout(
                    _IDLE,
                    node=self._node,
                    seconds=self._deadline.elapsed,
                    last_seen=self._seen(),
                    look_at=f"kubectl logs -n {pod.namespace} {pod.name}",
                    timeline=self._cluster.timeline.render(node=self._node, last=10),
                )
            self._cluster.observe(lambda: False, LOG_PAUSE, _IDLE, self._node)
            pod = self._ready_pod() or pod

    def _ready_pod(self) -> PodView | None:
        pod = manager_pod(self._cluster, self._node)
        return pod if pod is not None and pod.ready else None

    def _busy(self, position: LogPosition | None) -> bool:
        state = self._cluster.node(self._node).labels.get(MIG_CONFIG_STATE)
        at_work = None if position is None else position.busy
        return state == State.REBOOTING or (state == State.PENDING if at_work is None else at_work)

    def _seen(self) -> str:
        pod = manager_pod(self._cluster, self._node)
        seen = f"pod {pod} {'Ready' if pod.ready else 'not Ready'}" if pod else "no pod of mig-manager"
        return f"{seen}; state {self._cluster.node(self._node).labels.get(MIG_CONFIG_STATE, 'absent')}"
