"""The record of a run in progress: the suite fills it in, the report reads it."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from conformance.operations.restored import Restore
from conformance.preflight.finding import PreflightFinding
from conformance.report.causes import trouble_of
from conformance.report.model import (
    BAD_OUTCOMES,
    Case,
    CaseCell,
    CaseFunction,
    Environment,
    Invocation,
    LeftOut,
)
from conformance.report.observations import ChangeKind, Evidence, TimelineEntry
from conformance.report.steps import Step
from conformance.spec.names import OPERATOR_NAMESPACE


def _no_timelines() -> Mapping[str, Sequence[TimelineEntry]]:
    return {}


def _no_steps(_: str) -> Sequence[Step]:
    return ()


class Spent(StrEnum):
    """What a run spends its time on."""

    START = "start"
    """Starting the backend and connecting."""
    RECONFIGURATIONS = "reconfigurations"
    """From the label to the operands' return, of the slowest node at each stop."""
    SCENARIOS = "scenarios"
    """What else is done at the stops: pods, and waiting for resources and labels."""
    STRATEGY = "strategy"
    """Changes of strategy."""
    GRACE = "grace"
    """Waiting at the end for kubelet to drop removed resources."""
    RESTORE = "restore"
    """Putting everything back."""


NARROWED_TO_NODE: Final = "narrowed to --node "
NARROWED_TO_CONFIGURATION: Final = "narrowed to --configuration "
"""Beginnings of the reasons of a run that was narrowed with these options; see `Run.narrowed`."""


@dataclass(frozen=True)
class Place:
    """Where a case runs.

    Attributes:
        function: Name of its function.
        node: Name of the node.
        cell: The cell.
        before: The cell before a change of strategy; None for a case that watches no such change.
    """

    function: str
    node: str
    cell: CaseCell
    before: CaseCell | None = None


@dataclass
class Run:
    """The record of a run.

    Attributes:
        id: Id of the run; empty until a session was opened.
        invocation: How the run was started.
        profile: Value of --profile.
        backend: Value of --cluster; empty until the session was opened, or a signal ended that.
        status: Exit status of pytest; 0 until the run is over.
        simulated_gpus: Whether the GPUs are simulated.
        operator_namespace: Namespace of the operator and its operands.
        environment: Versions and nodes, as found.
        made: Provisionings so far.
        asked: Ids of the distinct states that cases asked for.
        visited: Ids of the states in the order of their provisioning.
        restore: Result of putting back what was found; `not-needed` while nothing was changed.
        timelines: Returns the timelines of all nodes; called when the report is written.
        stays: When each node was asked to go to a cell, and to which, by node; in seconds of its timeline.
        stays_ended: End of the last stay, in the same seconds; None until the session was closed.
        measured: Convergence times: node, kind of change, and seconds of the cluster's clock.
        narrowed: Reasons for which the run does not cover everything, for example `-m single`.
        mig_nodes: Every node of the cluster that can do MIG.
        not_run: Places at which cases were deselected, by function.
        deselected: How many cases the user's selection left out.
        beyond_profile: Names of the functions whose cases the profile does not have.
        left_out: Places at which cases are left out, with the reasons.
        blocked: Ids of cases that could not judge because of a problem that another case reports.
        inconclusive: Ids of cases that the suite could not judge.
        postponed: Ids of cases that are judged at the end of the run, because nobody can say yet who deleted a pod.
        nodes_left_out: Reason by name for nodes that were not changed because somebody uses their GPUs.
        nodes_inconclusive: First reason by name for nodes on which a case could not be judged.
        spent: Seconds of wall time by what they went into; see `Spent`.
        requests: Returns how many requests were sent to the API server, by verb.
        functions: What the cases of a function have in common, by its name.
        places: Where each selected case runs, by its id.
        evidence: What nodes showed where cases did not pass, by node and cell.
        evidence_of: Key in `evidence` by the id of a case that did not pass.
        preflight: What preflight found before the run.
        selected: Ids of the cases that are to run; empty until they were collected.
        cases: Finished cases by id.
        steps: Returns what was done to the node of a case that has ended, by the id of the case.
        published: What was published in the cluster, or why nothing was; empty if that was not asked for.
    """

    id: str = ""
    invocation: Invocation = field(default_factory=Invocation)
    profile: str = "full"
    backend: str = ""
    status: int = 0
    simulated_gpus: bool = False
    operator_namespace: str = OPERATOR_NAMESPACE
    environment: Environment = field(default_factory=Environment)
    made: int = 0
    asked: set[str] = field(default_factory=set)
    visited: list[str] = field(default_factory=list)
    restore: Restore = field(default_factory=Restore)
    timelines: Callable[[], Mapping[str, Sequence[TimelineEntry]]] = _no_timelines
    stays: defaultdict[str, list[tuple[float, CaseCell]]] = field(default_factory=lambda: defaultdict(list))
    stays_ended: float | None = None
    measured: list[tuple[str, ChangeKind, float]] = field(default_factory=list)
    narrowed: list[str] = field(default_factory=list)
    mig_nodes: tuple[str, ...] = ()
    not_run: dict[str, int] = field(default_factory=dict)
    deselected: int = 0
    beyond_profile: set[str] = field(default_factory=set)
    left_out: list[LeftOut] = field(default_factory=list)
    blocked: set[str] = field(default_factory=set)
    inconclusive: set[str] = field(default_factory=set)
    postponed: set[str] = field(default_factory=set)
    nodes_left_out: dict[str, str] = field(default_factory=dict)
    nodes_inconclusive: dict[str, str] = field(default_factory=dict)
    spent: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    requests: Callable[[], Mapping[str, int]] = dict
    functions: dict[str, CaseFunction] = field(default_factory=dict)
    places: dict[str, Place] = field(default_factory=dict)
    evidence: dict[str, Evidence] = field(default_factory=dict)
    evidence_of: dict[str, str] = field(default_factory=dict)
    preflight: tuple[PreflightFinding, ...] = ()
    selected: list[str] = field(default_factory=list)
    cases: dict[str, Case] = field(default_factory=dict)
    steps: Callable[[str], Sequence[Step]] = _no_steps
    published: list[str] = field(default_factory=list)

    @contextmanager
    def spending(self, on: Spent) -> Iterator[None]:
        """Add the wall time of the context to `spent`."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self.spent[on] += time.monotonic() - begun

    def begin_stay(self, node: str, time: float, strategy: str, configuration: str) -> None:
        """Record that a node is about to be brought to a cell, or was found there."""
        self.stays[node].append((time, CaseCell(strategy=strategy, configuration=configuration)))

    def could_not_judge(self, case: str, node: str, reason: str) -> None:
        """Record that the suite could not judge a case on a node, before the case ends."""
        self.inconclusive.add(case)
        self.nodes_inconclusive.setdefault(node, trouble_of(reason))

    def failures(self) -> list[Case]:
        """Return the finished cases that failed, broke or were blocked."""
        return [case for case in self.cases.values() if case.outcome in BAD_OUTCOMES]
