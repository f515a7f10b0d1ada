"""The hand-over of the selected configuration from the watch to the worker: one slot that keeps the latest value.

Source: NVIDIA/mig-parted v0.15.0, cmd/nvidia-mig-manager/main.go (SyncableMigConfig and the node watch).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from conformance.sim.kube import NODES, Event, Kube, Object
from conformance.spec import names


class ConfigSlot:
    """Holds the latest value of the label; values that are replaced during a run are never seen."""

    def __init__(self) -> None:
        self._current = ""
        self._last_read = ""
        self._handed_over = asyncio.Event()

    def put(self, value: str) -> None:
        """Store a value; the empty one (no label) does not wake the worker."""
        self._current = value
        if value:
            self._handed_over.set()

    async def take(self) -> str:
        """Return the value once it differs from the last one taken, or once the same one is stored again.

        The value is empty if the label was removed during the last run.
        """
        if self._last_read == self._current:
            self._handed_over.clear()
            await self._handed_over.wait()
        self._last_read = self._current
        return self._current


def follow_label(kube: Kube, node: str, slot: ConfigSlot) -> Callable[[], None]:
    """Put the label's value into the slot when the Node object appears and when the label changes.

    Returns:
        A function that ends the subscription.
    """

    def on_node(event: Event, former: Object | None, present: Object) -> None:
        if event is Event.DELETED:
            return
        value = _label(present)
        if former is None or _label(former) != value:
            slot.put(value)

    return kube.informer(NODES).on_change_of(node, on_node)


def _label(node: Object) -> str:
    value: str = (node["metadata"].get("labels") or {}).get(names.MIG_CONFIG, "")
    return value
