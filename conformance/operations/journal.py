"""Remembers what was there before the first change, in the cluster and in a local file.

What that is: docs/reference/gpu-operator.md#what-to-put-back.

One ConfigMap for each node and one for the ClusterPolicy, so that thousands of nodes fit and each is written once.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from conformance.cluster import paths
from conformance.cluster.diff import nvidia_labels
from conformance.cluster.errors import ApiError, ClusterError
from conformance.cluster.pod_view import RUN_LABEL
from conformance.operations.mig_cluster import MigCluster
from conformance.spec.names import DEPLOY_PREFIX, MIG_CONFIG, MIG_CONFIG_STATE

JOURNAL_LABEL: Final = "mig-conformance/journal"
_KEY = "journal.json"
_POLICY = "mig-conformance-journal-policy"
_NODE = "mig-conformance-journal-node-"


@dataclass(frozen=True)
class NodeRecord:
    """A node before the first change.

    Attributes:
        name: Name of the node.
        run: The run that remembered it; another one than the present where that one was killed.
        labels: All its `nvidia.com/` labels; those of `restorable` are put back, the others are outputs of the
            operator and must come back by themselves.
        unschedulable: It was cordoned.
        taints: `key=value:effect`.
        advertised: Allocatable resources above 0: whether the configuration was really in place.
    """

    name: str
    run: str
    labels: Mapping[str, str]
    unschedulable: bool
    taints: tuple[str, ...]
    advertised: Mapping[str, int]

    @property
    def configuration(self) -> str | None:
        """Value of `mig.config`; None where it was absent."""
        return self.labels.get(MIG_CONFIG)

    @property
    def state(self) -> str | None:
        """Value of the state label; None where it was absent."""
        return self.labels.get(MIG_CONFIG_STATE)


@dataclass(frozen=True)
class PolicyRecord:
    """The ClusterPolicy before the first change.

    Attributes:
        name: Name of the object.
        run: The run that remembered it.
        strategy: Its strategy; None where the field was absent.
    """

    name: str
    run: str
    strategy: str | None


def restorable(labels: Mapping[str, str]) -> dict[str, str]:
    """Keep the labels that a reconfiguration writes: `mig.config`, its state, and `gpu.deploy.*`."""
    return {k: v for k, v in labels.items() if k in (MIG_CONFIG, MIG_CONFIG_STATE) or k.startswith(DEPLOY_PREFIX)}


class Journal:
    """What a run must put back. Entries of a run that was killed are taken over, never overwritten.

    Attributes:
        nodes: Remembered nodes by name.
        policy: The remembered ClusterPolicy; None while it was not changed.
        adopted: Ids of the killed runs whose entries were found.
    """

    def __init__(self, cluster: MigCluster, run: str, file: Path | None = None) -> None:
        """Read what a killed run may have left in the cluster; the namespace must exist.

        Args:
            cluster: The cluster.
            run: Id of this run, fit for a label value.
            file: Where the local copy goes; None: no local copy.
        """
        self._cluster = cluster
        self._run = run
        self._file = file
        self._lock = threading.Lock()
        self.nodes: dict[str, NodeRecord] = {}
        self.policy: PolicyRecord | None = None
        self._load()
        runs = {record.run for record in self.nodes.values()} | ({self.policy.run} if self.policy else set())
        self.adopted = tuple(sorted(runs - {run}))

    @property
    def empty(self) -> bool:
        """Nothing was remembered, so nothing was changed."""
        return not self.nodes and self.policy is None

    def remember(self, node: str | None) -> None:
        """Write down a node (None: the ClusterPolicy) unless that was done before; to be called before a change.

        Raises:
            ClusterError: It could not be written; the change must not be made.
        """
        with self._lock:
            if node is None and self.policy is None:
                self._remember_policy()
            elif node is not None and node not in self.nodes:
                self._remember_node(node)

    def clear(self) -> None:
        """Forget everything, in the cluster and in the local file; to be called after an exact restore."""
        for name in self._names():
            self._cluster.transport.delete(paths.config_map(self._cluster.namespace, name))
        self.nodes, self.policy = {}, None
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    def location(self) -> str:
        """Say where it is kept, for messages."""
        local = f" and {self._file}" if self._file else ""
        return f"ConfigMaps labelled {JOURNAL_LABEL} in namespace {self._cluster.namespace}{local}"

    def _remember_policy(self) -> None:
        policy = self._cluster.policy()
        record = PolicyRecord(policy.name, self._run, policy.strategy)
        self._save(_POLICY, asdict(record))
        self.policy = record

    def _remember_node(self, node: str) -> None:
        view = self._cluster.node(node)
        record = NodeRecord(
            name=node,
            run=self._run,
            labels=nvidia_labels(view.labels),
            unschedulable=view.unschedulable,
            taints=view.taints,
            advertised=view.advertised,
        )
        self._save(_NODE + node, asdict(record))
        self.nodes[node] = record

    def _names(self) -> list[str]:
        return [_NODE + node for node in self.nodes] + ([_POLICY] if self.policy else [])

    def _load(self) -> None:
        query = {"labelSelector": JOURNAL_LABEL}
        items = self._cluster.transport.get(paths.config_maps(self._cluster.namespace), query)["items"]
        for item in items:
            data = json.loads(item["data"][_KEY])
            if item["metadata"]["name"] == _POLICY:
                self.policy = PolicyRecord(**data)
            else:
                record = NodeRecord(**(data | {"taints": tuple(data["taints"])}))
                self.nodes[record.name] = record

    def _save(self, name: str, data: dict[str, Any]) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": name, "labels": {JOURNAL_LABEL: "true", RUN_LABEL: self._run}},
            "data": {_KEY: json.dumps(data, sort_keys=True)},
        }
        try:
            self._cluster.transport.create(paths.config_maps(self._cluster.namespace), body)
            self._save_locally(name, data)
        except (ApiError, OSError) as error:
            raise ClusterError(
                f"cannot remember what is there before changing it, so nothing is changed: {error}"
            ) from error

    def _save_locally(self, name: str, data: dict[str, Any]) -> None:
        if self._file is None:
            return
        known = json.loads(self._file.read_text(encoding="utf-8")) if self._file.exists() else {}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        draft = self._file.with_suffix(".tmp")
        draft.write_text(json.dumps(known | {name: data}, indent=2, sort_keys=True), encoding="utf-8")
        draft.replace(self._file)
