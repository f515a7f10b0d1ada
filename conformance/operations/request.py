"""One request for a configuration on one node: what to write, what counts as the answer, when the node is at rest."""

from __future__ import annotations

from conformance.cluster import paths
from conformance.cluster.changes import Change, LabelChange, Outage, ResourceChange
from conformance.cluster.pod_view import PodView
from conformance.cluster.waiting import Deadline
from conformance.operations.evidence import Outcome, Reconfiguration
from conformance.operations.manager_log import LOG_PAUSE, LogPosition, failure_reason, has_started_since, log_since
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.taints import new_taints
from conformance.spec.names import (
    DEPLOY_PREFIX,
    MIG_CONFIG,
    MIG_CONFIG_STATE,
    PAUSED,
    PAUSED_APPS,
    VALIDATOR_APP,
    State,
)

_FINAL = (State.SUCCESS, State.FAILED)


class ReconfigureRequest:
    """A request for a configuration, created before the first write.

    `send` writes it, `is_answered` and `is_at_rest` check its progress, and `evidence` summarizes it.

    Attributes:
        node: Name of the node.
        configuration: The requested configuration.
        mark: Mark of the timeline before the write.
        answered: When the answer was seen, in seconds of the cluster's clock; None until then.
        deadline: Deadline of the current stage.
        kept: Whether `send` writes nothing, because the node already has the configuration and `again` is False.
    """

    def __init__(
        self, cluster: MigCluster, node: str, configuration: str, position: LogPosition | None, *, again: bool = True
    ) -> None:
        self._cluster = cluster
        self.node = node
        self.configuration = configuration
        self.answered: float | None = None
        self._log_start = position
        self._before = cluster.node(node)
        self._already_set = self._before.labels.get(MIG_CONFIG) == configuration
        self.kept = self._already_set and not again and self._before.labels.get(MIG_CONFIG_STATE) == State.SUCCESS
        self._pods_before = cluster.pods(node=node)
        self._stopped_pods: frozenset[str] = frozenset()
        self._paused: set[str] = set()
        self._pending = False
        self._pause: Deadline | None = None
        self._answer: State | None = None
        self._settled: float | None = None
        self.mark = self._next = cluster.timeline.mark()
        self._started = cluster.clock.now()
        self.deadline = self._new_deadline(cluster.limits.reconfigure)

    def send(self) -> None:
        """Remove the state label and set `mig.config`, in two patches if it already has the value.

        Writes nothing if `kept`.
        """
        if self.kept:
            return
        if self._already_set:
            self._cluster.set_labels(self.node, {MIG_CONFIG: None, MIG_CONFIG_STATE: None})
        self._cluster.set_labels(self.node, {MIG_CONFIG: self.configuration, MIG_CONFIG_STATE: None})

    def is_answered(self) -> bool:
        """Process new changes of the node. Return True once there is an answer, or none is to come."""
        for change in self._cluster.timeline.since(self._next, node=self.node):
            self._next = change.sequence + 1
            self._process(change)
        return self.kept or self.answered is not None or self.deadline.expired or self._given_up()

    def _given_up(self) -> bool:
        """Whether mig-manager is idle without an answer, because it could not reach the API server either.

        It leaves the state as it is then, and does not try again: docs/reference/mig-manager.md#one-reconfiguration.
        """
        cluster = self._cluster
        if not cluster.timeline.of(Outage, self.mark) or not (self._pause is None or self._pause.expired):
            return False
        self._pause = cluster.deadline(LOG_PAUSE)
        if not has_started_since(cluster, self.node, self._log_start, run=True):
            return False
        # Read, since the watch may be late: the answer comes before the line that says that mig-manager is idle.
        labels = cluster.transport.get(paths.node(self.node))["metadata"]["labels"]
        return labels.get(MIG_CONFIG_STATE) not in _FINAL

    def _process(self, change: Change) -> None:
        if (
            self.answered is not None
            or not isinstance(change, LabelChange)
            or self._cluster.writes.owns(change.version)
        ):
            return
        self._paused |= {key for key, value in change.set.items() if value == PAUSED}
        state = change.set.get(MIG_CONFIG_STATE)
        self._pending = self._pending or state == State.PENDING
        if state in _FINAL:
            self.answered, self._answer = change.time, State(state)
        elif state == State.REBOOTING:
            self.deadline = self._new_deadline(self._cluster.limits.reboot)

    def start_settling(self) -> None:
        """Start the deadline for the operands to come back.

        The old pods of paused operands do not count as back, even if they still appear in the views: mig-manager has
        waited for their end, and the watch of pods may lag behind the watch of nodes.
        """
        self.deadline = self._new_deadline(self._cluster.limits.operands_ready)
        paused = {app for app, label in PAUSED_APPS.items() if label in self._paused}
        self._stopped_pods = frozenset(pod.uid for pod in self._pods_before if pod.app in paused)

    def is_at_rest(self) -> bool:
        """Return True once all operands that ran before and are not paused are back, or the deadline has expired."""
        if not self._missing_operands():
            self._settled = self._cluster.clock.now()
        return self._settled is not None or self.deadline.expired

    def evidence(self) -> Reconfiguration:
        """Summarize the request, including mig-manager's log."""
        cluster, node = self._cluster, self._cluster.node(self.node)
        log = log_since(cluster, self.node, self._log_start)
        label = node.labels.get(MIG_CONFIG_STATE)
        history = cluster.timeline.since(self.mark, node=self.node)
        changes = [change for change in history if isinstance(change, LabelChange)]
        outcome = self._outcome()
        taints = new_taints(cluster, self.node)
        return Reconfiguration(
            node=self.node,
            configuration=self.configuration,
            previous=self._before.labels.get(MIG_CONFIG),
            started=self._started,
            answered=self.answered,
            settled=self._settled,
            outcome=outcome,
            state=State(label) if label in set(State) else None,
            problem=f"it has the new taint {', '.join(taints)}" if taints else self._problem(outcome, log),
            labels_before=self._before.labels,
            changes=tuple(change for change in changes if not cluster.writes.owns(change.version)),
            resources=tuple(change for change in history if isinstance(change, ResourceChange)),
            pods_before=tuple(self._pods_before),
            pods=cluster.timeline.pods(self.node, self.mark),
            pods_after=tuple(cluster.pods(node=self.node)),
            manager_log=log,
            boot_ids=(self._before.boot_id, node.boot_id),
            taints=taints,
            history=history,
            mark=self.mark,
        )

    def _new_deadline(self, seconds: float) -> Deadline:
        return self._cluster.deadline(seconds)

    def _outcome(self) -> Outcome:
        if self.kept:
            return Outcome.KEPT
        if self._answer is None:
            return Outcome.UNANSWERED
        if self._answer is State.SUCCESS:
            return Outcome.SUCCESS
        return Outcome.FAILED if self._pending else Outcome.REFUSED

    def _problem(self, outcome: Outcome, log: tuple[str, ...]) -> str:
        node = self._cluster.node(self.node)
        paused = [key for key, value in node.labels.items() if key.startswith(DEPLOY_PREFIX) and "paused" in value]
        left = f"; still paused: {', '.join(sorted(paused))}" if paused else ""
        if outcome is Outcome.UNANSWERED:
            state = node.labels.get(MIG_CONFIG_STATE, "absent")
            seconds = self.deadline.elapsed
            return f"no answer within {seconds:.0f} s, state {state}{left}; mig-manager said: {_last_lines(log)}"
        if outcome in (Outcome.FAILED, Outcome.REFUSED):
            return f"mig-manager said: {failure_reason(log) or _last_lines(log)}{left}"
        missing = self._missing_operands() if self._settled is None and not self.kept else ()
        return f"operands not back: {', '.join(missing)}{left}" if missing else left.removeprefix("; ")

    def _missing_operands(self) -> list[str]:
        labels = self._cluster.node(self.node).labels
        ran = {pod.app for pod in self._cluster.in_daemon_sets(self._pods_before)}
        present = self._cluster.in_daemon_sets(self._cluster.operands(self.node))
        back = {
            pod.app for pod in present if _is_back(pod) and pod.uid not in self._stopped_pods and not pod.terminating
        }
        expected = {app for app in ran if app not in PAUSED_APPS or labels.get(PAUSED_APPS[app]) == "true"}
        return sorted(expected - back)


def _is_back(pod: PodView) -> bool:
    return pod.ready or pod.crashing or pod.app == VALIDATOR_APP


def _last_lines(log: tuple[str, ...]) -> str:
    return " | ".join(log[-3:]) or "no log available"
