"""A GitOps controller that heals itself: keeps objects as a file says, whoever changes them.

As Argo CD v3 with `syncPolicy.automated.selfHeal`: it looks at what the file names, and at nothing else of an object.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Final

from conformance.sim.clock import Clock
from conformance.sim.controller import ReconcileQueue, subscribed
from conformance.sim.kube import CLUSTER_POLICIES, CONFIG_MAPS, NODES, Event, Key, Kube, Object, Resource, key_of

AGENT: Final = "argocd-controller"
"""Its field manager."""
KINDS: Final[Mapping[str, Resource]] = {one.kind: one for one in (CLUSTER_POLICIES, CONFIG_MAPS, NODES)}
"""What it can keep, by kind."""
_Place = tuple[str, Key]


class GitOps:
    """Keeps some objects as they are wanted, once they are there.

    Args:
        kube: API client.
        clock: The cluster's clock.
        wanted: The objects, with the fields that are to stay as they are given.
        reaction: Minimum real seconds between a change and its end.
    """

    def __init__(self, kube: Kube, clock: Clock, wanted: Sequence[Object], reaction: float = 0.0) -> None:
        self._kube = kube.named(AGENT)
        self._wanted: dict[_Place, Object] = {(one["kind"], key_of(one)): one for one in wanted}
        self._informers = {kind: kube.informer(KINDS[kind]) for kind in {kind for kind, _ in self._wanted}}
        self._queue: ReconcileQueue[_Place] = ReconcileQueue(self._sync, clock, reaction)

    async def run(self) -> None:
        """Run until cancelled."""
        handlers = ((informer, partial(self._changed, kind)) for kind, informer in self._informers.items())
        async with subscribed(*handlers):
            await self._queue.run()

    def _changed(self, kind: str, event: Event, _: Object | None, new: Object) -> None:
        place = kind, key_of(new)
        if event is not Event.DELETED and place in self._wanted:
            self._queue.add(place)

    async def _sync(self, place: _Place) -> None:
        kind, (namespace, name) = place
        found = self._informers[kind].get(name, namespace)
        if found is not None and not holds(found, wanted := _content(self._wanted[place])):
            await self._kube.patch(KINDS[kind], name, wanted, namespace or None)


def holds(found: Any, wanted: Any) -> bool:
    """Whether an object has all that is wanted; null stands for a field that must be absent."""
    if isinstance(wanted, Mapping):
        return isinstance(found, Mapping) and all(holds(found.get(key), value) for key, value in wanted.items())
    return bool(found == wanted)


def _content(wanted: Object) -> Object:
    return {key: value for key, value in wanted.items() if key not in ("apiVersion", "kind")}
