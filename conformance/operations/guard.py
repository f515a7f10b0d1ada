"""Notices that somebody else changes what this run is testing (a GitOps controller, a colleague, another tool)."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from conformance.cluster.changes import Change, LabelChange, PolicyChange
from conformance.cluster.errors import ClusterError
from conformance.cluster.timeline import Timeline
from conformance.cluster.writes import OwnWrites
from conformance.operations.errors import ForeignChangeError
from conformance.spec.names import MIG_CONFIG

_STAMPED_DEFAULT = "all-disabled"
"""What the operator writes on a node without the label (gpu-operator v26.7.0, node labelling controller)."""
_SPEC_FIELDS = ("strategy", "config_name")


class Guard:
    """Calls every change foreign that this run did not write itself.

    Watched are ClusterPolicy's strategy and configuration name, always, and `mig.config` of the nodes given to `add`.
    """

    def __init__(self, timeline: Timeline, writes: OwnWrites) -> None:
        self._timeline = timeline
        self._writes = writes
        self._lock = threading.Lock()
        self._nodes: set[str] = set()
        self._mark = timeline.mark()
        self._error: ClusterError | None = None

    def add(self, nodes: Iterable[str]) -> None:
        """From now on watch `mig.config` of these nodes too."""
        with self._lock:
            self._nodes |= set(nodes)

    def fail(self, error: ClusterError) -> None:
        """Make every later check raise `error` (the lease was lost)."""
        with self._lock:
            self._error = self._error or error

    def forgive(self) -> None:
        """Take everything up to now as it is; used before the restore, which must go on."""
        with self._lock:
            self._mark = self._timeline.mark()
            self._error = None

    def check(self) -> None:
        """Raise if somebody else has changed something, from the moment when it is seen until `forgive`.

        Raises:
            ForeignChangeError: Says what, from what to what, and who where the server knows.
            ClusterError: What `fail` was given.
        """
        with self._lock:
            if self._error is not None:
                raise self._error  # remembered: every thread that works on a node must hear of it
            if self._writes.in_progress:
                return
            changes = self._timeline.since(self._mark)
            self._mark += len(changes)
            if foreign := [text for change in changes if (text := self._foreign(change))]:
                self._error = ForeignChangeError(
                    f"somebody else changed what this run is testing: {'; '.join(foreign)}. Results after this would "
                    "say nothing; stop whatever writes it (GitOps, another tool), then run again"
                )
                raise self._error

    def _foreign(self, change: Change) -> str:
        if isinstance(change, PolicyChange) and change.field in _SPEC_FIELDS and not self._writes.owns(change.version):
            return f"{change.describe()}{_by(change.writer)}"
        if isinstance(change, LabelChange) and change.node in self._nodes and not self._writes.owns(change.version):
            before, after = change.before.get(MIG_CONFIG), change.after.get(MIG_CONFIG)
            stamped = not before and after == _STAMPED_DEFAULT
            if before != after and not stamped:
                return f"{MIG_CONFIG} of node {change.node}: {before} -> {after}{_by(change.writer)}"
        return ""


def _by(writer: str) -> str:
    return f" (by {writer})" if writer else ""
