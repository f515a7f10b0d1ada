"""What a change of the cluster left behind: handed to the cases, never judged here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from conformance.cluster.changes import Change, LabelChange, ResourceChange
from conformance.cluster.errors import ClusterError
from conformance.cluster.pod_view import PodView
from conformance.cluster.timeline import PodLife
from conformance.cluster.views import DaemonSetView
from conformance.spec.names import State


class Outcome(StrEnum):
    """How mig-manager answered."""

    SUCCESS = "success"
    FAILED = "failed"
    """It tried (`pending` was seen) and failed."""
    REFUSED = "refused"
    """`failed` without `pending`: it did not begin."""
    UNANSWERED = "unanswered"
    """No `success` or `failed` within the limit."""
    KEPT = "kept"
    """It was not asked: the node had this configuration, with `success`, already."""


class ChangeFailedError(ClusterError):
    """A change of the cluster that a case builds upon did not succeed."""


@dataclass(frozen=True)
class Reconfiguration:
    """One node that was asked for one configuration. Times in seconds of the cluster's clock.

    Attributes:
        node: Name of the node.
        configuration: The entry that was asked for.
        previous: What `mig.config` was before; None where it was absent.
        started: When the label was set, or found to be set.
        answered: When `success` or `failed` was seen; None where neither came.
        settled: When every operand's pod was back; None where that did not come (`problem` says what was missing).
        outcome: How mig-manager answered, or that it was not asked.
        state: Last value of the state label; None where it was absent.
        problem: Why it is not a success, or what did not settle, with mig-manager's own words; empty where all is well.
        labels_before: All labels of the node before.
        changes: What happened to the node's `nvidia.com/` labels from the start, without this run's own writes.
        resources: Changes of allocatable and capacity in that time.
        pods_before: Pods of the node at the start, those of users too.
        pods: What was seen of pods of the node in that time, short-lived ones too.
        pods_after: Pods of the node at the end.
        manager_log: Lines of mig-manager's log since the start; empty where it may not be read.
        boot_ids: Boot id before and after.
        history: Everything of the node in the timeline since the start, for reports.
        mark: Where the timeline stood at the start.
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
    history: tuple[Change, ...]
    mark: int

    @property
    def seconds(self) -> float | None:
        """From the label to the answer; None without an answer."""
        return None if self.answered is None else self.answered - self.started

    @property
    def applied(self) -> bool:
        """Whether mig-manager says that the configuration is there: it answered `success`, now or before."""
        return self.outcome in (Outcome.SUCCESS, Outcome.KEPT)

    def require_success(self) -> None:
        """Raise unless mig-manager says that the configuration is there.

        Raises:
            ChangeFailedError: Says what was asked for and why it failed.
        """
        if not self.applied:
            raise ChangeFailedError(
                f"node {self.node} did not reach configuration {self.configuration} ({self.outcome}): {self.problem}"
            )


@dataclass(frozen=True)
class Roll:
    """One DaemonSet in a change of strategy.

    Attributes:
        before: The DaemonSet before.
        after: The DaemonSet at the end.
        pods_before: Its pods before, on every node.
        pods_after: Its pods at the end.
        complete: The template carries the strategy and every pod is of that template and available.
        problem: What is missing, one line; empty when complete.
    """

    before: DaemonSetView
    after: DaemonSetView
    pods_before: tuple[PodView, ...]
    pods_after: tuple[PodView, ...]
    complete: bool
    problem: str


@dataclass(frozen=True)
class StrategyChange:
    """One change of the strategy of the whole cluster. Times in seconds of the cluster's clock.

    Attributes:
        before: ClusterPolicy's strategy before; None where the field was absent.
        strategy: The strategy that was asked for.
        patched: Whether a patch was needed.
        started: When it was patched.
        finished: When the last DaemonSet had rolled; None where one did not.
        rolls: Each DaemonSet that carries the strategy, by name.
        history: Everything in the timeline since the start, of all nodes and the ClusterPolicy.
        problem: What did not roll; empty where all is well.
        mark: Where the timeline stood at the start.
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

    def require_complete(self) -> None:
        """Raise unless every DaemonSet has rolled.

        Raises:
            ChangeFailedError: Names those that have not.
        """
        if self.problem:
            raise ChangeFailedError(f"strategy {self.strategy} did not reach every operand: {self.problem}")
