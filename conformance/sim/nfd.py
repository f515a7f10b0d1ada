"""Node Feature Discovery: the worker, which publishes the features of its node, and the master, which labels nodes.

Source: kubernetes-sigs/node-feature-discovery v0.19.0, pkg/nfd-master, pkg/nfd-worker and pkg/nfd-gc.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from conformance.sim.clock import Clock
from conformance.sim.container import Container
from conformance.sim.controller import ReconcileQueue, either, subscribed, until_stopped
from conformance.sim.kube import NODE_FEATURE_RULES, NODE_FEATURES, NODES, Event, Kube, KubeError, Object, key_of
from conformance.sim.kube.insist import insist, insist_unless_gone
from conformance.spec.names import GPU_PRESENT

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
_FEATURES: Final[Mapping[str, Any]] = {
    "attributes": {"kernel.version": {"elements": {"full": "6.8.0-90-generic", "major": "6", "minor": "8"}}},
    "instances": {"pci.device": {"elements": [{"attributes": {"class": "0302", "vendor": "10de"}}]}},
}
"""The same for the rules of people."""


def worker_feature(node: str, namespace: str) -> Object:
    """Return the NodeFeature that the NFD worker publishes for a node with NVIDIA GPUs."""
    return {
        "metadata": {"name": node, "namespace": namespace, "labels": {NODE_NAME_LABEL: node}},
        "spec": {"labels": dict(WORKER_LABELS), "features": dict(_FEATURES)},
    }


async def nfd_worker(container: Container) -> int:
    """Publish the features of the node, and again when they are deleted, until SIGTERM; the NodeFeature stays.

    The features of a simulated node do not change. A real worker looks every minute.
    """
    node, namespace, kube = container.env["NODE_NAME"], container.env["KUBERNETES_NAMESPACE"], container.kube
    nodes, features, changed = kube.informer(NODES), kube.informer(NODE_FEATURES), asyncio.Event()
    await asyncio.gather(nodes.synced.wait(), features.synced.wait())
    withdraws = container.node.faults.on("nfd-worker-withdraws")
    if withdraws and features.get(node, namespace) is None and await _until_let_go(container):
        return 0
    wanted = worker_feature(node, namespace)
    wanted["metadata"]["ownerReferences"] = container.pod["metadata"].get("ownerReferences", [])
    endings = [
        informer.on_change_of(node, lambda *_: changed.set(), there)
        for informer, there in ((nodes, ""), (features, namespace))
    ]
    try:
        while not container.stop.is_set():
            changed.clear()
            if features.get(node, namespace) is None and _is_ready(nodes.get(node)):
                await _create(kube, wanted)
                container.log(f"NodeFeature object {namespace}/{node} was published")
            await either(changed, container.stop)
    finally:
        for unfollow in endings:
            unfollow()
    if withdraws:
        await insist_unless_gone(lambda: kube.delete(NODE_FEATURES, node, namespace))
    return 0


async def _create(kube: Kube, feature: Object) -> None:
    try:
        await insist(lambda: kube.create(NODE_FEATURES, feature))
    except KubeError as error:
        if not error.already_exists:
            raise


async def _until_let_go(container: Container) -> bool:
    """Wait until the operator no longer takes the node for one with GPUs; return whether the container was stopped.

    For the fault `nfd-worker-withdraws`, which must not depend on how fast a pod is replaced.
    """
    node, changed = container.env["NODE_NAME"], asyncio.Event()
    nodes = container.kube.informer(NODES)
    unfollow = nodes.on_change_of(node, lambda *_: changed.set())
    try:
        while _labels(nodes.get(node)).get(GPU_PRESENT) == "true" and not container.stop.is_set():
            changed.clear()
            await either(changed, container.stop)
    finally:
        unfollow()
    return container.stop.is_set()


async def nfd_master(container: Container) -> int:
    """Label all nodes by their features and by rules, until SIGTERM."""
    return await until_stopped(container.stop, NfdMaster(container.kube, container.clock).run())


class NfdCollector:
    """nfd-gc, which deletes the features of nodes that were deleted. It is no pod: its own node may be such a one.

    Args:
        kube: API client.
        clock: The cluster's clock.
    """

    def __init__(self, kube: Kube, clock: Clock) -> None:
        self._kube = kube.named("nfd-gc")
        self._nodes = kube.informer(NODES)
        self._features = kube.informer(NODE_FEATURES)
        self._queue: ReconcileQueue[str] = ReconcileQueue(self._collect, clock)

    async def run(self) -> None:
        """Run until cancelled."""
        await self._features.synced.wait()
        async with subscribed((self._nodes, self._node_changed)):
            await self._queue.run()

    def _node_changed(self, event: Event, _: Object | None, new: Object) -> None:
        if event is Event.DELETED:
            self._queue.add(new["metadata"]["name"])

    async def _collect(self, name: str) -> None:
        for feature in tuple(self._features.select(_subject, name)):
            meta = feature["metadata"]
            await insist_unless_gone(partial(self._kube.delete, NODE_FEATURES, meta["name"], meta["namespace"]))


class NfdMaster:
    """The NFD master: copies labels from NodeFeature objects and rules, and removes labels that it set earlier."""

    def __init__(self, kube: Kube, clock: Clock) -> None:
        self._kube = kube.named("nfd-master")
        self._nodes = kube.informer(NODES)
        self._features = kube.informer(NODE_FEATURES)
        self._rules = kube.informer(NODE_FEATURE_RULES)
        self._queue: ReconcileQueue[str] = ReconcileQueue(self._update, clock)

    async def run(self) -> None:
        """Run until cancelled."""
        handlers = (
            (self._nodes, self._node_changed),
            (self._features, self._feature_changed),
            (self._rules, self._rule_changed),
        )
        async with subscribed(*handlers):
            await self._queue.run()

    def _node_changed(self, event: Event, _: Object | None, new: Object) -> None:
        if event is Event.ADDED:
            self._queue.add(new["metadata"]["name"])

    def _feature_changed(self, _event: Event, _: Object | None, new: Object) -> None:
        if node := _subject(new):
            self._queue.add_later(node, SETTLE_SECONDS)

    def _rule_changed(self, _event: Event, _: Object | None, _new: Object) -> None:
        for name in self._nodes.cache:
            self._queue.add_later(name[1], SETTLE_SECONDS)

    async def _update(self, name: str) -> None:
        if (node := self._nodes.get(name)) is None:
            return
        wanted: dict[str, str] = {}
        features = sorted(self._features.select(_subject, name), key=key_of)
        for feature in features:
            wanted |= writable(feature["spec"].get("labels") or {})
        wanted |= writable(labels_of_rules(sorted(self._rules.cache.values(), key=key_of), features))
        if patch := label_patch(node, wanted):
            await self._kube.patch(NODES, name, patch)


def writable(labels: Mapping[str, str]) -> dict[str, str]:
    """Return the labels without those whose values the API server would refuse: the master leaves them out.

    Source: pkg/nfd-master/nfd-master.go, filterFeatureLabel.
    """
    return {name: value for name, value in labels.items() if len(value) <= _LONGEST_VALUE and _VALUE.fullmatch(value)}


def labels_of_rules(rules: Iterable[Object], features: Iterable[Object]) -> dict[str, str]:
    """Return the labels of all rules that match a node with these NodeFeature objects; the last rule wins.

    Source: api/nfd/v1alpha1/types.go, Rule; pkg/apis/nfd/nodefeaturerule. Of the operators of an expression, In, NotIn,
    Exists and DoesNotExist are known; another one matches nothing.
    """
    known = [feature["spec"].get("features") or {} for feature in features]
    labels: dict[str, str] = {}
    for rule in (rule for one in rules for rule in one["spec"]["rules"]):
        terms = rule.get("matchFeatures") or ()
        if all(any(_matches(term, one) for one in _elements(term["feature"], known)) for term in terms):
            labels |= rule.get("labels") or {}
    return labels


def _elements(feature: str, known: Iterable[Object]) -> Iterator[Mapping[str, str]]:
    """Yield the attributes of a feature, or those of each of its instances."""
    for one in known:
        if found := (one.get("attributes") or {}).get(feature):
            yield found["elements"]
        for element in ((one.get("instances") or {}).get(feature) or {}).get("elements", ()):
            yield element["attributes"]


def _matches(term: Object, element: Mapping[str, str]) -> bool:
    return all(_holds(rule, element.get(key)) for key, rule in (term.get("matchExpressions") or {}).items())


def _holds(expression: Object, value: str | None) -> bool:
    match expression["op"]:
        case "In":
            return value in expression["value"]
        case "NotIn":
            return value is not None and value not in expression["value"]
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
    return False


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


def _labels(node: Object | None) -> Mapping[str, str]:
    labels: Mapping[str, str] = (node or {}).get("metadata", {}).get("labels") or {}
    return labels


def _is_ready(node: Object | None) -> bool:
    conditions = ((node or {}).get("status") or {}).get("conditions") or ()
    return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)


def _subject(feature: Object) -> str:
    return str((feature["metadata"].get("labels") or {}).get(NODE_NAME_LABEL, ""))
