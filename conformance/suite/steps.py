"""The steps of a case: how its node came to its cell, and what its scenario did there, from the timeline."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Final

from conformance.cluster.changes import (
    Change,
    LabelChange,
    NodeChange,
    PodChange,
    PodEvent,
    PolicyChange,
    ResourceChange,
)
from conformance.operations.mig_cluster import MigCluster
from conformance.report.steps import Step
from conformance.spec.names import MIG_CONFIG, MIG_CONFIG_STATE
from conformance.suite.agenda import Stop
from conformance.suite.case import CaseDeclaration
from conformance.suite.cells import Cell, Spot
from conformance.suite.execution import Execution
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenario import AnyScenario, Effect
from conformance.suite.visit import Span

_MOST: Final = 12
"""Moments of a step; the whole timeline is in the report."""
_LABELS: Final = (MIG_CONFIG, MIG_CONFIG_STATE)
_POD_EVENTS: Final = (PodEvent.APPEARED, PodEvent.RESTARTED, PodEvent.ENDED)
_NODE_FIELDS: Final = ("present", "ready", "boot_id")


class Steps:
    """Tells the steps of cases. The way of a node to its cell is told once for all of its cases there.

    Args:
        cluster: The cluster.
        execution: Knows what was done.
    """

    def __init__(self, cluster: MigCluster, execution: Execution) -> None:
        self._cluster = cluster
        self._execution = execution
        self._ways: dict[tuple[Stop, str], Step] = {}

    def of(self, case: CaseDeclaration, spot: Spot) -> tuple[Step, ...]:
        """Return the steps of a case that has ended; empty if its node was never there."""
        visit = self._execution.visit(spot)
        node = visit.nodes.get(spot.node) if visit else None
        if visit is None or node is None:
            return ()
        key = (visit.stop, spot.node)
        if key not in self._ways:
            self._ways[key] = self._way(node)
        span = visit.spans.get((case.scenario, spot.node))
        return (self._ways[key], *([self._scenario(case.scenario, node.name, span)] if span else []))

    def _way(self, node: NodeInCell) -> Step:
        if node.arrival is None:
            now = time.time()
            return Step(f"Find {node.name} in {_words(node.cell)}, and leave it as it is", now, now)
        request, strategy = node.arrival.reconfiguration, node.arrival.strategy_change
        begun = strategy.started if strategy else request.started
        ended = request.settled or request.answered or self._cluster.timeline.now()
        moments = self._moments(node.mark, node.at_rest or None, node.name)
        return Step(f"Bring {node.name} to {_words(node.cell)}", self._wall(begun), self._wall(ended), moments)

    def _scenario(self, scenario: AnyScenario, node: str, span: Span) -> Step:
        ended = self._cluster.timeline.now() if span.ended is None else span.ended
        pods_of = "" if scenario.effect is Effect.READONLY else self._cluster.namespace
        moments = self._moments(span.first, span.last, node, pods_of)
        title = scenario.summary[:1].upper() + scenario.summary[1:]
        return Step(title, self._wall(span.begun), self._wall(ended), moments)

    def _moments(self, first: int, last: int | None, node: str, pods_of: str = "") -> tuple[Step, ...]:
        timeline = self._cluster.timeline
        of_all = (change for change in timeline.between(first, last, node="") if isinstance(change, PolicyChange))
        changes = sorted((*of_all, *timeline.between(first, last, node=node)), key=lambda change: change.sequence)
        found = [(change.time, text) for change in changes for text in _told(change, pods_of)]
        if (more := len(found) - _MOST) > 0:
            found[_MOST:] = [(found[-1][0], f"and {more} more, see the timeline of {node}")]
        return tuple(Step(text, self._wall(at), self._wall(at)) for at, text in found)

    def _wall(self, seconds: float) -> float:
        """Turn seconds of the cluster's clock into seconds since the epoch."""
        cluster = self._cluster
        return time.time() - (cluster.timeline.now() - seconds) / cluster.clock.scale


def _told(change: Change, pods_of: str) -> Iterator[str]:
    """Return what a reader wants to know of a change: requests and answers, allocatable, strategy, reboots.

    Also when the pods of the namespace `pods_of` began and ended; empty for no pods.
    """
    match change:
        case LabelChange():
            for label in _LABELS:
                if change.before.get(label) != change.after.get(label):
                    yield f"{label}={change.after[label]}" if label in change.after else f"{label} removed"
        case ResourceChange() if change.field == "allocatable":
            yield change.describe()
        case PodChange() if change.namespace == pods_of and change.event in _POD_EVENTS:
            yield change.describe()
        case PolicyChange() if change.field != "state":
            yield change.describe()
        case NodeChange() if change.field in _NODE_FIELDS:
            yield change.describe()
        case _:
            return


def _words(cell: Cell) -> str:
    return f"{cell.strategy}, {cell.configuration or 'no configuration'}"
