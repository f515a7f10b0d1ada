"""The operator's controller: reconciles node labels, ConfigMaps, DaemonSets and the status of the ClusterPolicy.

Source: NVIDIA/gpu-operator v26.7.0, controllers/clusterpolicy_controller.go and nodelabeling_controller.go.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from conformance.sim.clock import Clock
from conformance.sim.controller import ReconcileQueue, subscribed
from conformance.sim.faults import Faults
from conformance.sim.kube import (
    CLUSTER_POLICIES,
    CONFIG_MAPS,
    DAEMON_SETS,
    NODES,
    Event,
    Kube,
    Object,
)
from conformance.sim.kube.insist import insist, insist_unless_gone
from conformance.sim.operator.census import Census, Labels
from conformance.sim.operator.labels import is_gpu_node, label_patch, triggers_reconcile
from conformance.sim.operator.manifests import HASH_ANNOTATION, STATES, config_maps, daemon_sets
from conformance.sim.operator.status import (
    NOT_READY,
    READY,
    conditions,
    is_daemon_set_ready,
    same_conditions,
    with_times,
)
from conformance.spec.mig_parted import ALL_DISABLED
from conformance.spec.names import (
    DCGM_EXPORTER_APP,
    DEPLOY_MIG_MANAGER,
    DEVICE_PLUGIN_APP,
    FEATURE_DISCOVERY_APP,
    MIG_CONFIG,
    MIG_CONFIG_STATE,
    PAUSED,
    Strategy,
)
from conformance.spec.releases import Release
from conformance.spec.times import api_time

AGENT: Final = "gpu-operator"
NOT_READY_SECONDS: Final = 5.0
"""Cluster seconds between reconciles while an operand is not ready."""
NO_FEATURES_SECONDS: Final = 45.0
"""Cluster seconds between reconciles while no node has labels of Node Feature Discovery."""
_OPERANDS: Final = frozenset(name for name, _ in STATES.values())
_POLICY: Final = "cluster-policy"
_NODES: Final = "nodes"


class Operator:
    """The GPU Operator of one cluster.

    Args:
        kube: API client; writes use the operator's name as field manager.
        clock: The cluster's clock.
        namespace: Namespace of the operator and its operands.
        release: Release whose behaviour to simulate.
        faults: The faults that are switched on.
        reaction: Minimum real seconds between a change and the reconcile.
        log: Appends a line to its log.
    """

    def __init__(
        self,
        kube: Kube,
        clock: Clock,
        namespace: str,
        release: Release,
        faults: Faults,
        reaction: float = 0.0,
        log: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._kube = kube.named(AGENT)
        self._clock = clock
        self._namespace = namespace
        self._log = log
        self._reconciler = "node-label-reconciler" in release.fixes
        self._client_label = "client-label" in release.fixes
        self._by_generation = "generation-readiness" in release.fixes
        self._forgotten = _forgotten(faults)
        self._ignores_config_name = faults.on("operator-ignores-config-name")
        self._keeps_config_name = faults.on("operator-keeps-config-name")
        self._misspells_default = faults.on("operator-misspells-default")
        self._defaults_always = faults.on("operator-ignores-empty-default")
        self._defaults_once = faults.on("operator-writes-default-once")
        self._remembers_nodes = faults.on("operator-remembers-nodes")
        self._forgets_manager = faults.on("operator-forgets-manager")
        self._known: set[str] = set()
        self._config_name = ""
        self._deploys_everywhere = faults.on("operator-deploys-manager-everywhere")
        self._floats_tag = faults.on("operator-floats-tag")
        self._rolls_at_start = faults.on("operator-rolls-at-start")
        self._resumes_paused = faults.on("operator-resumes-paused")
        self._resets_configuration = faults.on("operator-resets-configuration")
        self._never_without_strategy = faults.on("operator-never-without-strategy")
        self._policies = kube.informer(CLUSTER_POLICIES)
        self._nodes = kube.informer(NODES)
        self._daemon_sets = kube.informer(DAEMON_SETS)
        self._config_maps = kube.informer(CONFIG_MAPS)
        self._census = Census()
        self._rendered: tuple[tuple[str, int], dict[str, Object]] | None = None
        self._queue: ReconcileQueue[str] = ReconcileQueue(self._work, clock, reaction)

    async def run(self) -> None:
        """Run until cancelled."""
        await self._config_maps.synced.wait()
        await self._begin_with_faults()
        handlers = (
            (self._policies, self._policy_changed),
            (self._nodes, self._node_changed),
            (self._daemon_sets, self._daemon_set_changed),
        )
        async with subscribed(*handlers):
            await self._queue.run()

    async def _begin_with_faults(self) -> None:
        """What an operator with a defect does to a cluster that has nodes and operands already."""
        await asyncio.gather(self._nodes.synced.wait(), self._daemon_sets.synced.wait())
        if self._rolls_at_start and self._daemon_sets.get(DCGM_EXPORTER_APP, self._namespace):
            started = {"example.com/started": api_time(self._clock.time())}
            template = {"spec": {"template": {"metadata": {"annotations": started}}}}
            await insist(lambda: self._kube.patch(DAEMON_SETS, DCGM_EXPORTER_APP, template, self._namespace))
        for node in [*self._nodes.cache.values()]:
            labels = node["metadata"].get("labels") or {}
            patch: dict[str, str] = {}
            if self._resumes_paused:
                patch |= {name: "true" for name, value in labels.items() if value == PAUSED}
            if self._resets_configuration and labels.get(MIG_CONFIG):
                patch[MIG_CONFIG] = ALL_DISABLED
            if patch:
                name = node["metadata"]["name"]
                await insist_unless_gone(partial(self._kube.patch, NODES, name, {"metadata": {"labels": patch}}))

    def _policy_changed(self, event: Event, old: Object | None, new: Object) -> None:
        """Ignore changes that keep the generation: they only affect the status."""
        if event is Event.MODIFIED and old and old["metadata"]["generation"] == new["metadata"]["generation"]:
            return
        self._census.look_at_all()
        self._queue.add(_NODES)
        self._queue.add(_POLICY)

    def _node_changed(self, event: Event, old: Object | None, new: Object) -> None:
        name, labels = new["metadata"]["name"], new["metadata"].get("labels") or {}
        if event is Event.DELETED:
            self._census.drop(name)
            if self._remembers_nodes or self._forgets_manager:
                self._known.add(name)
            return
        self._census.set(name, labels)
        former = old["metadata"].get("labels") or {} if old else {}
        if self._remembers(name, labels) or triggers_reconcile(former, labels, reconciler=self._reconciler):
            self._queue.add(_NODES)
            self._queue.add(_POLICY)

    def _daemon_set_changed(self, _event: Event, _: Object | None, new: Object) -> None:
        if new["metadata"]["namespace"] == self._namespace and new["metadata"]["name"] in _OPERANDS:
            self._queue.add(_POLICY)

    async def _work(self, key: str) -> None:
        """Reconcile the node labels or the policy; before v26.7.0 the latter includes the labels."""
        policy = min(self._policies.cache.values(), key=_age, default=None)
        if policy is None:
            return
        if key == _NODES or not self._reconciler:
            await self._label_nodes(policy)
        if key == _POLICY:
            await self._reconcile(policy)

    async def _label_nodes(self, policy: Object) -> None:
        for name, labels in self._census.changed():
            patch = label_patch(labels, self._with_default(policy), client=self._client_label)
            if name in self._known:
                self._forget(patch)
            if self._defaults_once and MIG_CONFIG_STATE in labels:
                patch.pop(MIG_CONFIG, None)
            if self._deploys_everywhere and is_gpu_node(labels) and DEPLOY_MIG_MANAGER not in labels:
                patch[DEPLOY_MIG_MANAGER] = "true"
            if self._misspells_default and MIG_CONFIG in patch:
                patch[MIG_CONFIG] = _MISSPELT
            if patch:
                await self._kube.patch(NODES, name, {"metadata": {"labels": patch}})
            self._census.looked_at(name, labels)

    def _remembers(self, name: str, labels: Labels) -> bool:
        """End the faults of a node that was deleted once somebody has set its label; return whether that happened."""
        if name not in self._known or labels.get(MIG_CONFIG, ALL_DISABLED) == ALL_DISABLED:
            return False
        self._known.remove(name)
        return self._forgets_manager

    def _forget(self, patch: dict[str, str | None]) -> None:
        """Leave out what an operator with a defect believes to have written on a node that was there before."""
        if self._remembers_nodes:
            patch.pop(MIG_CONFIG, None)
        if self._forgets_manager:
            patch.pop(DEPLOY_MIG_MANAGER, None)

    async def _reconcile(self, policy: Object) -> None:
        gpu_nodes, found_features = self._census.gpu_nodes, self._census.found_features
        await self._own_config_maps()
        lagging = await self._own_daemon_sets(policy) if gpu_nodes else []
        await self._write_status(policy, lagging, found_features=found_features, gpu_nodes=gpu_nodes)
        self._log(conditions(lagging, found_features=found_features, gpu_nodes=gpu_nodes)[bool(lagging)]["message"])
        if lagging:
            self._queue.add_later(_POLICY, NOT_READY_SECONDS)
        elif not found_features:
            self._queue.add_later(_POLICY, NO_FEATURES_SECONDS)

    async def _own_config_maps(self) -> None:
        """Create the operator's ConfigMaps and revert changes to them."""
        for wanted in config_maps(self._namespace):
            found = self._config_maps.get(wanted["metadata"]["name"], self._namespace)
            if found is None:
                await self._kube.create(CONFIG_MAPS, wanted)
            elif found.get("data") != wanted["data"]:
                await self._kube.replace(CONFIG_MAPS, wanted)

    async def _own_daemon_sets(self, policy: Object) -> list[str]:
        """Create, update and delete DaemonSets; return the states that are not ready."""
        wanted = self._render(policy)
        lagging = []
        for state, (name, _) in STATES.items():
            found = self._daemon_sets.get(name, self._namespace)
            if state in wanted:
                if not await self._own_daemon_set(wanted[state], found):
                    lagging.append(state)
            elif found is not None:
                await self._kube.delete(DAEMON_SETS, name, self._namespace)
        return lagging

    def _render(self, policy: Object) -> dict[str, Object]:
        """Return the desired DaemonSets, cached by generation of the policy."""
        generation = (policy["metadata"]["uid"], policy["metadata"]["generation"])
        if self._rendered is None or self._rendered[0] != generation:
            self._rendered = (generation, daemon_sets(self._with_faults(policy), self._namespace))
        return self._rendered[1]

    def _with_faults(self, policy: Object) -> Object:
        """Return the policy as an operator with a defect reads it."""
        name = policy["spec"].get("migManager", {}).get("config", {}).get("name") or ""
        self._config_name = name or self._config_name
        if self._never_without_strategy and not policy["spec"].get("mig", {}).get("strategy"):
            policy = {**policy, "spec": {**policy["spec"], "mig": {"strategy": Strategy.SINGLE.value}}}
        if self._floats_tag:
            exporter = {**policy["spec"]["dcgmExporter"], "version": "latest"}
            policy = {**policy, "spec": {**policy["spec"], "dcgmExporter": exporter}}
        if self._ignores_config_name:
            return _with_config(policy, "name", "")
        return _with_config(policy, "name", self._config_name) if self._keeps_config_name else policy

    def _with_default(self, policy: Object) -> Object:
        """Return the policy with a default configuration (the fault `operator-ignores-empty-default`)."""
        return _with_config(policy, "default", ALL_DISABLED) if self._defaults_always else policy

    async def _own_daemon_set(self, wanted: Object, found: Object | None) -> bool:
        """Create or update one DaemonSet; return whether it is ready."""
        if found is None:
            await self._kube.create(DAEMON_SETS, wanted)
            return False
        forgotten = wanted["metadata"]["name"] in self._forgotten
        if _hash(found) != _hash(wanted) and not forgotten:
            version = {"resourceVersion": found["metadata"]["resourceVersion"]}
            await self._kube.replace(DAEMON_SETS, {**wanted, "metadata": wanted["metadata"] | version})
            return False
        return is_daemon_set_ready(found, by_generation=self._by_generation)

    async def _write_status(self, policy: Object, lagging: list[str], *, found_features: bool, gpu_nodes: int) -> None:
        state = NOT_READY if lagging else READY
        wanted = conditions(lagging, found_features=found_features, gpu_nodes=gpu_nodes)
        found = policy.get("status", {})
        if found.get("state") == state and same_conditions(wanted, found.get("conditions", ())):
            return
        now = api_time(self._clock.time())
        timed = with_times(wanted, found.get("conditions", ()), now)
        status = {"state": state, "namespace": self._namespace, "conditions": timed}
        name = policy["metadata"]["name"]
        await self._kube.patch(CLUSTER_POLICIES, name, {"status": status}, subresource="status")


def _with_config(policy: Object, key: str, value: str) -> Object:
    manager = policy["spec"].get("migManager", {})
    config = {**manager.get("config", {}), key: value}
    return {**policy, "spec": {**policy["spec"], "migManager": {**manager, "config": config}}}


_MISSPELT: Final = "all-disable"
"""A name that no file has, for the fault that writes it."""


def _forgotten(faults: Faults) -> frozenset[str]:
    """DaemonSets that an operator with a defect does not update once they exist."""
    plugin = {DEVICE_PLUGIN_APP} if faults.on("operator-forgets-plugin") else set()
    discovery = {FEATURE_DISCOVERY_APP} if faults.on("operator-forgets-discovery") else set()
    return frozenset(plugin | discovery)


def _age(policy: Object) -> tuple[str, str]:
    return policy["metadata"]["creationTimestamp"], policy["metadata"]["name"]


def _hash(daemon_set: Object) -> str:
    return str((daemon_set["metadata"].get("annotations") or {}).get(HASH_ANNOTATION, ""))
