"""Node Feature Discovery: the features of simulated nodes, and the master, which labels nodes.

Source: kubernetes-sigs/node-feature-discovery v0.19.0, pkg/nfd-master and pkg/nfd-worker.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from conformance.sim.clock import Clock
from conformance.sim.controller import ReconcileQueue, subscribed
from conformance.sim.kube import NODE_FEATURES, NODES, Event, Kube, Object, key_of

NODE_NAME_LABEL: Final = "nfd.node.kubernetes.io/node-name"
"""Label of a NodeFeature with the name of its node."""
OWNED_ANNOTATION: Final = "nfd.node.kubernetes.io/feature-labels"
"""Annotation of a node in which the master records the names of the labels that it set."""
SETTLE_SECONDS: Final = 1.0
"""Cluster seconds for which the master collects changes before it writes."""
_PREFIX: Final = "feature.node.kubernetes.io/"
_VALUE: Final = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
_LONGEST_VALUE: Final = 63

WORKER_LABELS: Final[Mapping[str, str]] = {
    _PREFIX + name: value
    for name, value in {
        "kernel-version.full": "6.8.0-90-generic",
        "kernel-version.major": "6",
        "kernel-version.minor": "8",
        "pci-0302_10de.present": "true",
        "pci-10de.present": "true",
        "system-os_release.ID": "ubuntu",
        "system-os_release.VERSION_ID": "24.04",
    }.items()
}
"""Features of a node with NVIDIA GPUs (PCI class 0302, vendor 10de)."""


def worker_feature(node: str, namespace: str) -> Object:
    """Return the NodeFeature that the NFD worker publishes for a node with NVIDIA GPUs."""
    return {
        "metadata": {"name": node, "namespace": namespace, "labels": {NODE_NAME_LABEL: node}},
        "spec": {"labels": dict(WORKER_LABELS)},
    }


class NfdMaster:
    """The NFD master: copies labels from NodeFeature objects to nodes, and removes labels that it set earlier."""

    def __init__(self, kube: Kube, clock: Clock) -> None:
        self._kube = kube.named("nfd-master")
        self._nodes = kube.informer(NODES)
        self._features = kube.informer(NODE_FEATURES)
        self._queue: ReconcileQueue[str] = ReconcileQueue(self._update, clock)

    async def run(self) -> None:
        """Run until cancelled."""
        async with subscribed((self._nodes, self._node_changed), (self._features, self._feature_changed)):
            await self._queue.run()

    def _node_changed(self, event: Event, _: Object | None, new: Object) -> None:
        if event is Event.ADDED:
            self._queue.add(new["metadata"]["name"])

    def _feature_changed(self, _event: Event, _: Object | None, new: Object) -> None:
        if node := _subject(new):
            self._queue.add_later(node, SETTLE_SECONDS)

    async def _update(self, name: str) -> None:
        if (node := self._nodes.get(name)) is None:
            return
        wanted: dict[str, str] = {}
        for feature in sorted(self._features.select(_subject, name), key=key_of):
            wanted |= writable(feature["spec"].get("labels") or {})
        if patch := label_patch(node, wanted):
            await self._kube.patch(NODES, name, patch)


def writable(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels without those whose values the API server would refuse: the master leaves them out.

    Source: pkg/nfd-master/nfd-master.go, filterFeatureLabel.
    """
    return {name: value for name, value in labels.items() if len(value) <= _LONGEST_VALUE and _VALUE.fullmatch(value)}


def label_patch(node: Object, wanted: Mapping[str, str]) -> Object | None:
    """Return the merge patch that sets the wanted labels and removes former ones; None if nothing changes."""
    labels = node["metadata"].get("labels") or {}
    owned = (node["metadata"].get("annotations") or {}).get(OWNED_ANNOTATION, "")
    former = {_full(name) for name in owned.split(",") if name}
    changed: dict[str, str | None] = {name: None for name in former - wanted.keys() if name in labels}
    changed |= {name: value for name, value in wanted.items() if labels.get(name) != value}
    owns = ",".join(sorted(name.removeprefix(_PREFIX) for name in wanted))
    if not changed and owns == owned:
        return None
    return {"metadata": {"labels": changed, "annotations": {OWNED_ANNOTATION: owns}}}


def _full(name: str) -> str:
    return name if "/" in name else _PREFIX + name


def _subject(feature: Object) -> str:
    return str((feature["metadata"].get("labels") or {}).get(NODE_NAME_LABEL, ""))
