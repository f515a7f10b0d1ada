"""Trials: what comes of a request that a scenario makes on purpose, seen from the moment before it to rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from conformance.cluster.changes import LabelChange, ResourceChange
from conformance.cluster.errors import ClusterError, InconclusiveError
from conformance.cluster.pod_view import PodView
from conformance.cluster.timeline import PodLife
from conformance.expect.resources import above_zero
from conformance.expect.trial import RUNS_ON, NodeSnapshot, Refusal, Trial
from conformance.operations.manager_log import failure_reason, has_resumed, log_position, log_since, manager_pod
from conformance.operations.pod_keeping import kept
from conformance.spec.names import DEVICE_PLUGIN_APP, MIG_CONFIG, MIG_CONFIG_STATE, VALIDATOR_APP, State
from conformance.suite.gpu_holders import known_holders
from conformance.suite.node_in_cell import NodeInCell

_FINAL = (State.SUCCESS, State.FAILED)


class TrialWatch:
    """Watches one node from now until `trial`, for scenarios that do something else than one request.

    Args:
        node: The node. Its GPUs are read with a pod, now and at the end.

    Attributes:
        before: The node when the watch began.
        operands: The operands' pods then.
        position: Where mig-manager's log ended then.
        mark: Mark of the timeline then.

    Raises:
        InconclusiveError: mig-manager's log cannot be read.
        ClusterError: The cluster could not be used.
    """

    def __init__(self, node: NodeInCell) -> None:
        cluster = node.cluster
        self._node = node
        self.before = _look(node)
        self.operands = cluster.in_daemon_sets(cluster.operands(node.name))
        pod = manager_pod(cluster, node.name)
        position = log_position(cluster, pod) if pod else None
        if pod is None or position is None:
            raise InconclusiveError(
                f"the log of mig-manager on node {node.name} cannot be read, and it alone says why a request failed: "
                f"its pod must run, and the suite needs the right to get pods/log in {cluster.operator_namespace}"
            )
        self.position = position
        self._resumed = has_resumed(cluster, pod)
        self.mark = cluster.timeline.mark()
        self._started = cluster.clock.now()

    @contextmanager
    def held_up(self, configuration: str) -> Iterator[PodView]:
        """Ask for a configuration, and keep mig-manager from being done with it before the block ends.

        It waits for the device plugin's pod, which is kept until then and given to the block.

        Raises:
            ForeignChangeError, ApiError: As for `MigCluster.change`.
            ClusterError: As well, or the node has no such pod.
        """
        cluster = self._node.cluster
        running = [pod for pod in cluster.operands(self._node.name, DEVICE_PLUGIN_APP) if not pod.terminating]
        if not running:
            raise ClusterError(
                f"node {self._node.name} has no pod of {DEVICE_PLUGIN_APP} for which a change would wait"
            )
        plugin = running[0]
        with kept(cluster, plugin):
            self._node.requested.append(configuration)
            cluster.set_labels(self._node.name, {MIG_CONFIG: configuration, MIG_CONFIG_STATE: None})
            yield plugin

    def await_answers(self, count: int) -> None:
        """Wait until mig-manager has written `success` or `failed` so many times, or `limits.reconfigure` has passed.

        Raises:
            ClusterError: The cluster could not be used.
        """
        node, cluster = self._node, self._node.cluster
        cluster.give_time(
            lambda: len(self._answers()) >= count,
            f"{count} answers of mig-manager",
            cluster.limits.reconfigure,
            node=node.name,
        )

    def await_end_of(self, pod: PodView) -> None:
        """Wait until a pod is Terminating or gone, mig-manager has answered, or `limits.reconfigure` has passed.

        Raises:
            ClusterError: The cluster could not be used.
        """
        node, cluster = self._node, self._node.cluster
        cluster.give_time(
            lambda: (now := cluster.pod(pod.name, pod.namespace)) is None or now.terminating or self._answers(),
            f"mig-manager to stop pod {pod}",
            cluster.limits.reconfigure,
            node=node.name,
        )

    def watch_for(self, seconds: float, what: str) -> None:
        """Watch for so many seconds; end at once when mig-manager writes `success` or `failed`."""
        node, cluster = self._node, self._node.cluster
        cluster.observe(lambda: bool(self._answers()), seconds, what, node.name)

    def watch_idle(self) -> None:
        """Watch for `limits.idle` that mig-manager does nothing; end at once when it writes an answer."""
        self.watch_for(self._node.cluster.limits.idle, "mig-manager to do nothing")

    def _answers(self) -> list[float]:
        changes = self._node.cluster.timeline.of(LabelChange, self.mark, node=self._node.name)
        return [change.time for change in changes if change.set.get(MIG_CONFIG_STATE) in _FINAL]

    def trial(self, configuration: str, *, resources: Mapping[str, int] | None = None) -> Trial:
        """Return what has happened since the watch began.

        Args:
            configuration: The requested configuration; empty if the label was removed or emptied.
            resources: Resources to wait for, up to `limits.resources`; None to wait for nothing.

        Raises:
            ClusterError: The cluster could not be used.
        """
        node, cluster, mark = self._node, self._node.cluster, self.mark
        if resources is not None and node.await_resources(resources).advertised != above_zero(resources):
            resources = None
        after = _look(node, resources)
        history = cluster.timeline.since(mark, node=node.name)
        lives = {life.uid: life for life in cluster.timeline.pods(node.name, mark)}
        changes = [change for change in history if isinstance(change, LabelChange)]
        answers = self._answers()
        log = log_since(cluster, node.name, self.position)
        reason = failure_reason(log)
        return Trial(
            configuration=configuration,
            before=self.before,
            after=after,
            labels_when_asked={key: v for key, v in self.before.labels.items() if key != MIG_CONFIG_STATE},
            resumed_before=self._resumed,
            label_changes=tuple(change for change in changes if not cluster.writes.owns(change.version)),
            resource_changes=tuple(change for change in history if isinstance(change, ResourceChange)),
            operands={pod.app: _fate(pod, lives.get(pod.uid), lives.values()) for pod in self.operands},
            users={pod.name: _fate(pod, lives.get(pod.uid), ()) for pod in (node.bystander,) if pod},
            manager_log=log,
            reason=reason,
            seconds=answers[0] - self._started if answers else None,
            holders=known_holders(node, reason),
        )


def attempt(node: NodeInCell, configuration: str, *, resources: Mapping[str, int] | None = None) -> Trial:
    """Request a configuration on a node, wait until the node is at rest, and return what came of it.

    Args:
        node: The node.
        configuration: Name of the configuration; it need not exist.
        resources: Resources to wait for; None to wait for nothing.

    Raises:
        ClusterError: The cluster could not be used.
    """
    watch = TrialWatch(node)
    node.request(configuration)
    return watch.trial(configuration, resources=resources)


def recover(node: NodeInCell) -> Trial:
    """Request the configuration of the cell, wait until the node has its resources, and return what came of it.

    Raises:
        ClusterError: The cluster could not be used.
    """
    return attempt(node, node.cell.configuration, resources=node.expected.resources)


def refusal(node: NodeInCell, configuration: str) -> Refusal:
    """Request a configuration that cannot be applied, then the configuration of the cell.

    Raises:
        ClusterError: The cluster could not be used.
    """
    trial = attempt(node, configuration)
    return Refusal(trial, recover(node))


def _look(node: NodeInCell, resources: Mapping[str, int] | None = None) -> NodeSnapshot:
    """Read the GPUs, then the node.

    Kubelet reports late that a plugin was gone for a moment: the resources that were there before the GPUs were read
    (`resources`) may be missing now, and are waited for again.
    """
    gpus = node.read_gpus().gpus
    view = node.cluster.node(node.name) if resources is None else node.await_resources(resources)
    return NodeSnapshot(view.labels, view.allocatable, gpus)


def _fate(pod: PodView, life: PodLife | None, lives: Iterable[PodLife]) -> str:
    newer = any(other.app == pod.app and other.started is not None and other.ended is None for other in lives)
    if life is not None and (life.ended is not None or life.terminating is not None):
        return "replaced" if newer else "gone"
    if newer:
        return "joined by another pod"
    # The validator checks again and again until the node has resources.
    restarted = life is not None and life.restarts and pod.app != VALIDATOR_APP
    return "restarted" if restarted else RUNS_ON
