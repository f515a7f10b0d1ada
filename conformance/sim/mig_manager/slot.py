"""The hand-over of the selected configuration from the watch to the worker: one slot that keeps the latest value.

Source: NVIDIA/mig-parted v0.15.0, cmd/nvidia-mig-manager/main.go (SyncableMigConfig and the node watch).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Mapping

from conformance.sim.kube import NODES, Event, Kube, Object
from conformance.spec import names


class ConfigSlot:
    """Holds the latest value of the label; values that are replaced during a run are never seen.

    Args:
        queues: Whether every value is handed over, one after the other (the fault `mig-manager-queues-changes`).
        drops_empty: Whether a label that is gone is never handed over (the fault `mig-manager-forgets-removal`).
        wakes_for_empty: Whether the removal of the label from a node with a state wakes the worker (the fault
            `mig-manager-acts-on-removal`).
        repeats: Whether the removal of the state alone hands the value over again (the fault `mig-manager-retries`).
    """

    def __init__(
        self, *, queues: bool = False, drops_empty: bool = False, wakes_for_empty: bool = False, repeats: bool = False
    ) -> None:
        self.repeats = repeats
        self._queue: deque[str] | None = deque() if queues else None
        self._drops_empty = drops_empty
        self._wakes_for_empty = wakes_for_empty
        self._current = ""
        self._last_read = ""
        self._handed_over = asyncio.Event()

    def put(self, value: str, state: str = "") -> None:
        """Store a value; the empty one (no label) does not wake the worker.

        Args:
            value: The label's value.
            state: Value of the state label, which only a fault looks at.
        """
        if not value and self._drops_empty:
            return
        self._current = value
        if value and self._queue is not None:
            self._queue.append(value)
        if value or (self._wakes_for_empty and state):
            self._handed_over.set()

    async def take(self) -> str:
        """Return the value once it differs from the last one taken, or once the same one is stored again.

        The value is empty if the label was removed during the last run.
        """
        if self._last_read == self._current and not self._queue:
            self._handed_over.clear()
            await self._handed_over.wait()
        self._last_read = self._queue.popleft() if self._queue else self._current
        return self._last_read


def follow_label(
    kube: Kube, node: str, slot: ConfigSlot, at_start: Callable[[Mapping[str, str]], str] | None = None
) -> Callable[[], None]:
    """Put the label's value into the slot when the Node object appears and when the label changes.

    Args:
        kube: API client.
        node: Name of the node.
        slot: The slot.
        at_start: Returns the value to put when the Node object appears, from its labels; None for the label's value.

    Returns:
        A function that ends the subscription.
    """

    def on_node(event: Event, former: Object | None, present: Object) -> None:
        if event is Event.DELETED:
            return
        value, state = _label(present), _label(present, names.MIG_CONFIG_STATE)
        lost_state = former is not None and not state and bool(_label(former, names.MIG_CONFIG_STATE))
        if former is None or _label(former) != value or (slot.repeats and lost_state):
            labels = present["metadata"].get("labels") or {}
            slot.put(at_start(labels) if at_start and former is None else value, state)

    return kube.informer(NODES).on_change_of(node, on_node)


def _label(node: Object, name: str = names.MIG_CONFIG) -> str:
    value: str = (node["metadata"].get("labels") or {}).get(name, "")
    return value
