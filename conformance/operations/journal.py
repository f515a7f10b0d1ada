"""The journal: records the original state before the first change, in the cluster and in a local file.

What is recorded: docs/reference/gpu-operator.md#what-to-put-back.

There is one ConfigMap for each node and one for the ClusterPolicy, so that the size limit of a ConfigMap does not limit
the number of nodes, and each is written only once.
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
    """A node before its first change.

    Attributes:
        name: Name of the node.
        run: Id of the run that recorded it; an earlier run's if that run was killed before its restore.
        labels: All `nvidia.com/` labels. Those selected by `restorable` are put back; the operator and its operands
            write the others, so these must return by themselves.
        unschedulable: Whether the node was cordoned.
        taints: Taints as `key=value:effect`.
        advertised: Allocatable resources above 0; they show whether the configuration was really applied.
    """

    name: str
    run: str
    labels: Mapping[str, str]
    unschedulable: bool
    taints: tuple[str, ...]
    advertised: Mapping[str, int]

    @property
    def configuration(self) -> str | None:
        """Value of `mig.config`; None if it was absent."""
        return self.labels.get(MIG_CONFIG)

    @property
    def state(self) -> str | None:
        """Value of the state label; None if it was absent."""
        return self.labels.get(MIG_CONFIG_STATE)


@dataclass(frozen=True)
class PolicyRecord:
    """The ClusterPolicy before its first change.

    Attributes:
        name: Name of the object.
        run: Id of the run that recorded it.
        strategy: Strategy; None if the field was absent.
    """

    name: str
    run: str
    strategy: str | None


def restorable(labels: Mapping[str, str]) -> dict[str, str]:
    """Return only the labels that a reconfiguration writes: `mig.config`, the state label and the deploy labels."""
    return {k: v for k, v in labels.items() if k in (MIG_CONFIG, MIG_CONFIG_STATE) or k.startswith(DEPLOY_PREFIX)}


class Journal:
    """What a run must put back. Entries of a killed run are taken over and never overwritten.

    Attributes:
        nodes: Recorded nodes, by name.
        policy: The recorded ClusterPolicy; None if it was not recorded.
    """

    def __init__(self, cluster: MigCluster, run: str, file: Path | None = None) -> None:
        """Read the entries that a killed run may have left in the cluster. The namespace must exist.

        Args:
            cluster: The cluster.
            run: Id of this run; must be a valid label value.
            file: Path of the local copy; None for no local copy.
        """
        self._cluster = cluster
        self._run = run
        self._file = file
        self._lock = threading.Lock()
        self.nodes: dict[str, NodeRecord] = {}
        self.policy: PolicyRecord | None = None
        self._load()

    @property
    def empty(self) -> bool:
        """Whether nothing was recorded, which means that nothing was changed."""
        return not self.nodes and self.policy is None

    def remember(self, node: str | None) -> None:
        """Record a node before it is changed, unless it is already recorded. None means the ClusterPolicy.

        Raises:
            ClusterError: The entry could not be written, so the change must not be made.
        """
        with self._lock:
            if node is None and self.policy is None:
                self._remember_policy()
            elif node is not None and node not in self.nodes:
                self._remember_node(node)

    def clear(self) -> None:
        """Delete all entries, in the cluster and the local file. Call this only after an exact restore."""
        for name in self._names():
            self._cluster.transport.delete(paths.config_map(self._cluster.namespace, name))
        self.nodes, self.policy = {}, None
        if self._file is not None:
            self._file.unlink(missing_ok=True)

    def location(self) -> str:
        """Describe where the journal is stored, for messages."""
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
                f"cannot write the original state to the journal, so the change was not made: {error}"
            ) from error

    def _save_locally(self, name: str, data: dict[str, Any]) -> None:
        if self._file is None:
            return
        known = json.loads(self._file.read_text(encoding="utf-8")) if self._file.exists() else {}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        # Written to a second file and renamed, so that a killed run never leaves half a file.
        draft = self._file.with_suffix(".tmp")
        draft.write_text(json.dumps(known | {name: data}, indent=2, sort_keys=True), encoding="utf-8")
        draft.replace(self._file)
