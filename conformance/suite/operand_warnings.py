"""Warnings about the operands, as the Events of their namespace report them."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime

from conformance.cluster.client import Cluster
from conformance.cluster.pod_view import PodView


class OperandWarnings:
    """The warnings about the operands of all nodes, as they were when the first was asked for.

    They are read once: a request for each pod would take minutes on a large cluster. Safe to use from any thread.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._lock = threading.Lock()
        self._found: Mapping[str, Sequence[tuple[datetime, str]]] | None = None

    def about(self, pod: PodView) -> list[str]:
        """Return the warnings about a pod since it is Ready, or all if it is not, oldest first.

        Empty if these credentials may not read Events.

        Raises:
            ApiError, UnreachableError: The API server did not answer; the next call asks again.
        """
        with self._lock:
            if self._found is None:
                self._found = self._cluster.warnings()
        since = pod.ready_since
        return [text for time, text in self._found.get(pod.uid, ()) if since is None or time > since]
