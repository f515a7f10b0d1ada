"""What else than the product may have made a case fail: somebody else, or an API server that did not answer."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from contextlib import suppress

from conformance.cluster.errors import ClusterError, InconclusiveError
from conformance.suite.agenda import Stop
from conformance.suite.arrival import Arrival
from conformance.suite.cells import Spot
from conformance.suite.pod_deletions import PodDeletions
from conformance.suite.provisioning import Provisioner


class Doubts:
    """Tells for a case that failed what kept it from being a finding.

    Args:
        provisioner: Changes the cluster of the run.
    """

    def __init__(self, provisioner: Provisioner) -> None:
        self._provisioner = provisioner
        self._cluster = provisioner.cluster
        self._deletions = PodDeletions(self._cluster, provisioner.run)
        self._marks: dict[Stop, int] = {}
        self._begun: dict[Stop, float] = {}

    def begin(self, stop: Stop) -> None:
        """Note that a stop begins: what happens from now on may be felt by its cases.

        Where the nodes of the stop are only read, this may be anything that the suite has seen.
        """
        self._marks[stop] = self._cluster.timeline.mark() if stop.changes else 0
        self._begun[stop] = self._cluster.timeline.now() if stop.changes else -math.inf

    def reach_back(self, stop: Stop, arrivals: Iterable[Arrival]) -> None:
        """Count what happened on the way of the nodes to a stop as well: the strategy may have changed before it began.

        Args:
            stop: The stop, which has begun.
            arrivals: How its nodes came there.
        """
        for arrival in arrivals:
            first = arrival.strategy_change or arrival.reconfiguration
            self._marks[stop] = min(self._marks[stop], arrival.mark)
            self._begun[stop] = min(self._begun[stop], first.started)

    def mark(self, stop: Stop) -> int:
        """Return the mark of the timeline since which changes count at a stop; 0 before it, or if it only reads."""
        return self._marks.get(stop, 0)

    def trouble(self, spot: Spot) -> str:
        """Describe what else than the product may have made a case fail since its stop began; empty if nothing did.

        Changes that the watches have not delivered yet count too.
        """
        try:
            self._cluster.catch_up(spot.node)
        except InconclusiveError as error:
            return str(error)
        mark, namespace = self.mark(Stop.of(spot)), self._cluster.operator_namespace
        concerned = self._concerned(spot)
        found = [self._cluster.guard.trouble(node, mark, namespace) for node, _ in concerned]
        return "; ".join(filter(None, (*found, self._edited(spot.node))))

    def postpones(self, spot: Spot) -> bool:
        """Return whether a case cannot be judged before the end, because somebody else may have deleted a pod."""
        return any(self._deletions.doubtful(node, since) for node, since in self._concerned(spot))

    def undecided(self, spot: Spot) -> bool:
        """Return whether one more change of the node of a case may tell who deleted a pod."""
        return any(self._deletions.undecided(node, since) for node, since in self._concerned(spot) if node == spot.node)

    def deleted(self, spot: Spot) -> str:
        """Describe the pods that somebody else deleted while a case was at work; empty if nobody did."""
        found = (self._deletions.by_others(node, since) for node, since in self._concerned(spot))
        return "; ".join(filter(None, found))

    def _edited(self, node: str) -> str:
        """Describe that somebody changed the file of a node; empty if nobody did, or if that cannot be told."""
        with suppress(ClusterError):
            return self._provisioner.targets[node].edited(self._cluster)
        return ""

    def _concerned(self, spot: Spot) -> Iterator[tuple[str, float]]:
        """The nodes that a case depends on, and since when: what stopped a pod just before may still be felt.

        Operands roll from node to node when the strategy changes: what holds up one node holds up the others.
        """
        stop = Stop.of(spot)
        since = self._begun.get(stop, -math.inf) - self._cluster.limits.operands_ready
        nodes = self._provisioner.targets if spot.after else (spot.node,)
        return ((node, since) for node in nodes)
