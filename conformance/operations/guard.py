"""Detects changes by others (a GitOps controller, a person, another tool) to what this run is testing."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from conformance.cluster.changes import Change, LabelChange, NodeChange, PolicyChange, SpecChange
from conformance.cluster.errors import ClusterError, InconclusiveError
from conformance.cluster.timeline import Timeline
from conformance.cluster.writes import OwnWrites
from conformance.operations.errors import ForeignChangeError, NodeLostError
from conformance.operations.interference import (
    foreign_configuration,
    foreign_labels,
    foreign_policy,
    foreign_spec,
    foreign_taint,
    interference,
    switches_off,
)
from conformance.spec.mig_parted import ALL_DISABLED
from conformance.spec.names import MIG_CONFIG_STATE, OPERATOR_NAMESPACE, State

_ADVICE = "stop whatever made the change (a GitOps controller, another tool), then run again"


@dataclass
class _Absence:
    """A part of the timeline in which the suite itself takes a node away; `end` is infinite while it lasts."""

    node: str
    start: int
    end: float = math.inf

    @property
    def lasts(self) -> bool:
        return self.end == math.inf

    def __contains__(self, change: Change) -> bool:
        return change.node == self.node and self.start <= change.sequence < self.end


class Guard:
    """Raises an error if anything under test is changed by a write that is not this run's own.

    Strategy and mig-parted ConfigMap name of the ClusterPolicy, and its deletion, concern the run. `mig.config` of a
    node passed to `add`, its deletion, a taint that keeps pods away, and a long time in which it is not Ready concern
    that node alone.
    A deploy label that takes operands off such a node ends the work there, and makes failures on every node doubtful.

    Args:
        timeline: The changes.
        writes: The changes that this run made.
        node_away: How long a node may be not Ready, in seconds of the timeline's clock.
    """

    def __init__(self, timeline: Timeline, writes: OwnWrites, node_away: float = math.inf) -> None:
        self._timeline = timeline
        self._writes = writes
        self._node_away = node_away
        self._lock = threading.Lock()
        self._nodes: set[str] = set()
        self._mark = timeline.mark()
        self._error: ClusterError | None = None
        self._lost: dict[str, NodeLostError] = {}
        self._unready: dict[str, float] = {}
        self._rebooting: set[str] = set()
        self._absences: list[_Absence] = []
        self._doubts: dict[str, str] = {}

    def add(self, nodes: Iterable[str]) -> None:
        """Also guard these nodes from now on."""
        with self._lock:
            if self._nodes.issuperset(names := set(nodes)):
                return
            self._look()  # what happened to these nodes so far was not this run's concern
            self._nodes |= names

    def covers(self, node: str) -> bool:
        """Return whether a node was passed to `add`."""
        with self._lock:
            return node in self._nodes

    def fail(self, error: ClusterError) -> None:
        """Make every later check raise `error`, for example because the lease was lost. The first error wins."""
        with self._lock:
            self._error = self._error or error

    def lose(self, node: str, why: str) -> NodeLostError:
        """End the work on a node, for a reason that was noticed elsewhere; return the error. The first reason wins."""
        with self._lock:
            return self._lose(node, why)

    def doubt(self, node: str, why: str) -> None:
        """Let no case fail on a node for the rest of the run, because it is not as its owner left it.

        Args:
            node: Name of the node; empty for every node.
            why: The reason. The first one wins.
        """
        with self._lock:
            self._doubts.setdefault(node, why)

    def forgive(self) -> None:
        """Ignore all changes and errors so far. Used before the restore, which must run in any case."""
        with self._lock:
            self._look()
            self._error = None
            self._lost.clear()

    @contextmanager
    def away(self, node: str) -> Iterator[None]:
        """Accept that a node is not Ready, or gone, during the block, because the suite itself takes it away."""
        absence = _Absence(node, self._timeline.mark())
        self._absences.append(absence)
        try:
            yield
        finally:
            absence.end = self._timeline.mark()

    def check(self, node: str | None = None) -> None:
        """Raise an error if somebody else changed something; every call raises it again until `forgive`.

        Args:
            node: Node that the caller works on; None if it is not exactly one.

        Raises:
            ForeignChangeError: Somebody changed what concerns every node. Names the change with old and new value, and
                the field manager if the server reports one.
            NodeLostError: The work on this node must end.
            ClusterError: The error passed to `fail`.
        """
        with self._lock:
            self._look()
            if self._error is not None:
                raise self._error  # kept, because every thread that works on a node must get it
            if node is not None and (lost := self._lost.get(node) or self._away(node)) is not None:
                raise lost

    def check_present(self, node: str | None) -> None:
        """Raise an error if a node has not been Ready for too long; ignore what others changed. For the restore.

        Raises:
            NodeLostError: There is no use in waiting for this node.
        """
        with self._lock:
            self._look()
            if node is not None and (away := self._away(node)) is not None:
                raise away

    def trouble(self, node: str, mark: int, operator_namespace: str = OPERATOR_NAMESPACE) -> str:
        """Describe what else than the product may have made a case fail on a node; empty if there is nothing.

        Labels that others wrote on a node under test, and specs of operands, count for the rest of the run.

        Args:
            node: Name of the node.
            mark: Timeline mark since when the evidence of the case was gathered.
            operator_namespace: Namespace whose pods belong to the product.
        """
        try:
            self.check(node)
        except InconclusiveError as error:
            return str(error)
        if doubt := self._doubts.get(node) or self._doubts.get(""):
            return doubt
        changes = (change for change in self._timeline.since(mark) if not self._is_excused(change))
        return "; ".join(interference(changes, node, self._writes.made, operator_namespace))

    def _is_excused(self, change: Change) -> bool:
        return isinstance(change, NodeChange) and change.field == "ready" and any(change in it for it in self._absences)

    def _look(self) -> None:
        """Process new changes, unless a write is in progress: its resourceVersion is not known yet."""
        if self._writes.in_progress:
            return
        changes = self._timeline.since(self._mark)
        self._mark += len(changes)
        for change in changes:
            self._process(change)

    def _process(self, change: Change) -> None:
        made, node = self._writes.made, change.node
        if isinstance(change, PolicyChange) and (text := foreign_policy(change, made)):
            self._doubts.setdefault("", text)  # also for the restore, which forgives the error
            self._error = self._error or ForeignChangeError(
                f"somebody else changed what this run is testing: {text}. Later results would be meaningless; {_ADVICE}"
            )
        elif isinstance(change, LabelChange):
            if change.after.get(MIG_CONFIG_STATE) == State.REBOOTING:
                self._rebooting.add(node)
            elif node not in self._unready:
                self._rebooting.discard(node)
            if node in self._nodes:
                self._process_labels(change)
        elif isinstance(change, SpecChange) and (text := foreign_spec(change, made)):
            self._doubts.setdefault("", text)  # pods are restarted on every node, at any time from now on
        elif isinstance(change, NodeChange) and change.field == "present" and change.before == "True":
            if not any(change in it for it in self._absences):
                self._lose(node, f"node {node} was deleted during the run")
        elif isinstance(change, NodeChange) and node in self._nodes and (text := foreign_taint(change, made)):
            self._lose(
                node,
                f"somebody else tainted node {node}: {text}. Neither operands nor pods of the suite can "
                "start there, so the work on this node ends; remove the taint, then run again",
            )
        elif isinstance(change, NodeChange) and change.field == "ready":
            if change.after == "True":
                self._unready.pop(node, None)
            else:
                self._unready[node] = change.time

    def _process_labels(self, change: LabelChange) -> None:
        node, made = change.node, self._writes.made
        if text := foreign_configuration(change, made, ALL_DISABLED):
            self._lose(node, f"somebody else changed {text}. The work on this node ends, the value stays; {_ADVICE}")
        if not (text := foreign_labels(change, made)):
            return
        self._doubts.setdefault(node, text)
        if switches_off(change):
            self._lose(node, f"somebody else took operands off: {text}. The work on this node ends, the value stays")
            self._doubts.setdefault("", text)  # operands roll from node to node: the others wait for this one

    def _lose(self, node: str, why: str) -> NodeLostError:
        return self._lost.setdefault(node, NodeLostError(node, why))

    def _away(self, node: str) -> NodeLostError | None:
        since = self._unready.get(node)
        if since is None or node in self._rebooting or any(it.node == node and it.lasts for it in self._absences):
            return None
        if (gone := self._timeline.now() - since) < self._node_away:
            return None
        return NodeLostError(node, f"node {node} has not been Ready for {gone:.0f} s")
