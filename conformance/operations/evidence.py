"""Evidence of changes of the cluster. Cases judge it; this room only collects it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from conformance.cluster.changes import Change, LabelChange, ResourceChange
from conformance.cluster.pod_view import PodView
from conformance.cluster.timeline import PodLife
from conformance.cluster.views import DaemonSetView
from conformance.spec.names import State


class Outcome(StrEnum):
    """How mig-manager answered a request."""

    SUCCESS = "success"
    FAILED = "failed"
    """`failed` after `pending`: mig-manager tried."""
    REFUSED = "refused"
    """`failed` without `pending`: mig-manager did not try."""
    UNANSWERED = "unanswered"
    """Neither `success` nor `failed` within the limit."""
    KEPT = "kept"
    """No request was made: the node already had this configuration, with state `success`."""


@dataclass(frozen=True)
class Reconfiguration:
    """Evidence of one request for a configuration on one node. Times are in seconds of the cluster's clock.

    Attributes:
        node: Name of the node.
        configuration: Name of the requested configuration.
        previous: Value of `mig.config` before the request; None if it was absent.
        started: When the request was made or, without a request, when the label was found to be set.
        answered: When `success` or `failed` was seen; None if neither was.
        settled: When the pods of all operands were back; None if they were not (`problem` lists the missing ones) or if
            this was not awaited.
        outcome: How mig-manager answered, or that no request was made.
        state: Value of the state label at the end; None if it is absent or unknown.
        problem: Why the request did not succeed, with mig-manager's own messages, or which operands are not back;
            empty if there is no problem.
        labels_before: All labels of the node before the request.
        changes: Changes of the node's `nvidia.com/` labels since the start, without this run's own writes.
        resources: Changes of allocatable and capacity since the start.
        pods_before: Pods on the node at the start, including those of users.
        pods: Lives of the pods on the node since the start, including short-lived ones.
        pods_after: Pods on the node at the end.
        manager_log: Lines of mig-manager's log since the start; empty if the log cannot be read.
        boot_ids: Boot id at the start and at the end.
        taints: Taints that keep pods away and that the node got during the run.
        history: All changes of the node since the start, for reports.
        mark: Mark of the timeline at the start.
    """

    node: str
    configuration: str
    previous: str | None
    started: float
    answered: float | None
    settled: float | None
    outcome: Outcome
    state: State | None
    problem: str
    labels_before: Mapping[str, str]
    changes: tuple[LabelChange, ...]
    resources: tuple[ResourceChange, ...]
    pods_before: tuple[PodView, ...]
    pods: tuple[PodLife, ...]
    pods_after: tuple[PodView, ...]
    manager_log: tuple[str, ...]
    boot_ids: tuple[str, str]
    taints: tuple[str, ...]
    history: tuple[Change, ...]
    mark: int

    @property
    def seconds(self) -> float | None:
        """Seconds from the request to the answer; None without an answer."""
        return None if self.answered is None else self.answered - self.started

    @property
    def applied(self) -> bool:
        """Whether mig-manager reports the configuration as applied, now or earlier, and pods can start on the node."""
        return self.outcome in (Outcome.SUCCESS, Outcome.KEPT) and not self.taints


@dataclass(frozen=True)
class Roll:
    """Roll of one DaemonSet after a change of the strategy.

    Attributes:
        before: The DaemonSet before the change.
        after: The DaemonSet at the end; as before if it is gone.
        pods_before: Its pods on all nodes before the change.
        pods_after: Its pods on all nodes at the end.
        complete: Whether the template has the new strategy and all pods are of that template and available.
        problem: What is missing, in one line; empty if complete.
    """

    before: DaemonSetView
    after: DaemonSetView
    pods_before: tuple[PodView, ...]
    pods_after: tuple[PodView, ...]
    complete: bool
    problem: str


@dataclass(frozen=True)
class StrategyChange:
    """Evidence of one change of the cluster's strategy. Times are in seconds of the cluster's clock.

    Attributes:
        before: Strategy in the ClusterPolicy before; None if the field was absent.
        strategy: The requested strategy.
        patched: Whether the ClusterPolicy was patched; not needed if it already had the strategy.
        started: When the change started, right before the patch.
        finished: When the last DaemonSet had rolled; None if one has not.
        rolls: Rolls of the DaemonSets whose template carries the strategy, by name.
        history: All changes of the cluster since the start.
        problem: What has not rolled; empty if everything has.
        mark: Mark of the timeline at the start.
    """

    before: str | None
    strategy: str
    patched: bool
    started: float
    finished: float | None
    rolls: Mapping[str, Roll]
    history: tuple[Change, ...]
    problem: str
    mark: int
