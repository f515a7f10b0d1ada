"""Detects changes by others (a GitOps controller, a person, another tool) to what this run is testing."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from conformance.cluster.changes import Change, LabelChange, PolicyChange
from conformance.cluster.errors import ClusterError
from conformance.cluster.timeline import Timeline
from conformance.cluster.writes import OwnWrites
from conformance.operations.errors import ForeignChangeError
from conformance.spec.mig_parted import ALL_DISABLED
from conformance.spec.names import MIG_CONFIG

_SPEC_FIELDS = ("strategy", "config_name")


class Guard:
    """Raises an error if anything under test is changed by a write that is not this run's own.

    It covers the strategy and the mig-parted ConfigMap name in the ClusterPolicy, and `mig.config` of the nodes passed
    to `add`.
    """

    def __init__(self, timeline: Timeline, writes: OwnWrites) -> None:
        self._timeline = timeline
        self._writes = writes
        self._lock = threading.Lock()
        self._nodes: set[str] = set()
        self._mark = timeline.mark()
        self._error: ClusterError | None = None

    def add(self, nodes: Iterable[str]) -> None:
        """Also guard `mig.config` of these nodes from now on."""
        with self._lock:
            self._nodes |= set(nodes)

    def fail(self, error: ClusterError) -> None:
        """Make every later check raise `error`, for example because the lease was lost. The first error wins."""
        with self._lock:
            self._error = self._error or error

    def forgive(self) -> None:
        """Ignore all changes and errors so far. Used before the restore, which must run in any case."""
        with self._lock:
            self._mark = self._timeline.mark()
            self._error = None

    def check(self) -> None:
        """Raise an error if somebody else changed something; every call raises it again until `forgive`.

        Raises:
            ForeignChangeError: Names the changes with old and new values, and the field manager if the server reports
                one.
            ClusterError: The error passed to `fail`.
        """
        with self._lock:
            if self._error is not None:
                raise self._error  # kept, because every thread that works on a node must get it
            if self._writes.in_progress:
                return  # the resourceVersion of that write is not known yet; a later check covers these changes
            changes = self._timeline.since(self._mark)
            self._mark += len(changes)
            if foreign := [text for change in changes if (text := self._foreign(change))]:
                self._error = ForeignChangeError(
                    f"somebody else changed what this run is testing: {'; '.join(foreign)}. Later results would be "
                    "meaningless; stop whatever made the change (a GitOps controller, another tool), then run again"
                )
                raise self._error

    def _foreign(self, change: Change) -> str:
        if isinstance(change, PolicyChange) and change.field in _SPEC_FIELDS and not self._writes.owns(change.version):
            return f"{change.describe()}{_by(change.writer)}"
        if isinstance(change, LabelChange) and change.node in self._nodes and not self._writes.owns(change.version):
            before, after = change.before.get(MIG_CONFIG), change.after.get(MIG_CONFIG)
            # The operator sets this on a node without the label (gpu-operator v26.7.0, node labelling controller).
            stamped = not before and after == ALL_DISABLED
            if before != after and not stamped:
                return f"{MIG_CONFIG} of node {change.node}: {before} -> {after}{_by(change.writer)}"
        return ""


def _by(writer: str) -> str:
    return f" (by {writer})" if writer else ""
