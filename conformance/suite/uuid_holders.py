"""On which nodes of the run each UUID of a GPU or MIG device was read."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping

from conformance.suite.observer import Observation


class UuidHolders:
    """The nodes by UUID, each node as it was read last; safe to use from any thread.

    A look-up takes no longer on a large cluster, where every node is looked up in every cell.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._nodes: defaultdict[str, set[str]] = defaultdict(set)
        self._uuids: dict[str, frozenset[str]] = {}

    def note(self, node: str, seen: Observation) -> None:
        """Record what was read on a node, in place of what was read there before."""
        devices = (device.uuid for gpu in seen.gpus for device in gpu.instances)
        found = frozenset([*(gpu.uuid for gpu in seen.gpus), *devices])
        with self._lock:
            for uuid in self._uuids.get(node, frozenset()) - found:
                self._nodes[uuid].discard(node)
            for uuid in found:
                self._nodes[uuid].add(node)
            self._uuids[node] = found

    def of(self, node: str) -> Mapping[str, tuple[str, ...]]:
        """Return the nodes, sorted by name, that have each UUID of a node; empty for a node that was not read."""
        with self._lock:
            return {uuid: tuple(sorted(self._nodes[uuid])) for uuid in sorted(self._uuids.get(node, ()))}
