"""The journal: records what was found and what is written, before each change, in the cluster and in a local file.

What is recorded: docs/reference/gpu-operator.md#what-to-put-back.

There is one ConfigMap for each changed object, so that the size limit of a ConfigMap does not limit the number of
nodes. The local file has one line for each state of an entry; the last line of an object counts.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from conformance.cluster import paths
from conformance.cluster.client import Cluster
from conformance.cluster.diff import nvidia_labels
from conformance.cluster.errors import ApiError, ClusterError, InconclusiveError
from conformance.cluster.pod_view import RUN_LABEL
from conformance.cluster.views import NodeView, Raw, node_view, policy_view
from conformance.operations.entry import Entry, Found
from conformance.operations.errors import ForeignChangeError, NodeLostError
from conformance.operations.fields import Field, Value, by, label, look_up, overwritten_by_product
from conformance.operations.namespace import unless_deleted
from conformance.operations.taints import lasting_taints
from conformance.spec.names import MIG_CONFIG

JOURNAL_LABEL: Final = "mig-conformance/journal"
KEY: Final = "journal.json"
_PREFIX: Final = "mig-conformance-journal"


class Journal:
    """What one run must put back.

    Attributes:
        run: Id of the run.
        holder: Who started it.
        begun: When it began to change the cluster, ISO 8601 in UTC.
        entries: One entry for each changed object, by its path.
        finishing: Whether everything is being put back. An entry that cannot be saved then prevents no change: what was
            found is on record already, and the namespace may have been deleted by somebody else.
    """

    def __init__(
        self,
        cluster: Cluster,
        run: str,
        file: Path | None = None,
        *,
        holder: str = "",
        entries: Iterable[Entry] = (),
    ) -> None:
        """Prepare the journal; nothing is written before the first change.

        Args:
            cluster: The cluster.
            run: Id of the run; must be a valid label value.
            file: Path of the local copy; None for no local copy.
            holder: Who started the run.
            entries: What is recorded already, of a run that was killed.
        """
        self._cluster = cluster
        self._file = file
        self._file_lock = threading.Lock()
        self._locks: dict[str, threading.RLock] = {}
        self._surveyed: dict[str, Found] = {}
        self.run = run
        self.entries = {entry.object: entry for entry in entries}
        first = next(iter(self.entries.values()), None)
        self.holder = first.holder if first else holder
        self.begun = first.begun if first else datetime.now(UTC).isoformat(timespec="seconds")
        self.finishing = False

    @property
    def empty(self) -> bool:
        """Whether nothing is recorded, which means that nothing was changed or that everything is put back."""
        return not self.entries

    @property
    def who(self) -> str:
        """The run in words: its id, who started it and when."""
        return f"run {self.run} of {self.holder.partition(', run ')[0]}, begun {self.begun}"

    @contextmanager
    def changing(self, raw: Raw | None, values: Mapping[Field, Value]) -> Iterator[None]:
        """Record values that are about to be written to one object, then let the caller write them.

        Args:
            raw: The object as it is now; None if the suite is about to create it.
            values: New values, by field of this object. None removes a field.

        Raises:
            ForeignChangeError, NodeLostError: Somebody else changed one of the fields since the suite wrote it; nothing
                was recorded.
            ClusterError: The entry could not be written, so the change must not be made.
        """
        (path,) = {field.object for field in values}
        with self._locks.setdefault(path, threading.RLock()):
            before = self.entries.get(path) or self._new(path, raw)
            self._refuse_foreign(before, raw, values)
            entry = before.intending(raw, values)
            if entry != before:
                self._save(entry)
            self.entries[path] = entry
            try:
                yield
            except ApiError:  # the server rejected the change
                self.entries[path] = before
                raise
            self.entries[path] = entry.settled(values)

    @contextmanager
    def deleting(self, raw: Raw, standing: Mapping[str, Any]) -> Iterator[None]:
        """Record that a Node object is about to be deleted, then let the caller delete it.

        Args:
            raw: The object as it is now.
            standing: What must be written on the object that kubelet registers in its place.

        Raises:
            NodeLostError: Somebody else changed `mig.config`; nothing was recorded.
            ClusterError: The entry could not be written, so the object must not be deleted.
        """
        node = raw["metadata"]["name"]
        path, gone = paths.node(node), {label(node, MIG_CONFIG): None}
        with self._locks.setdefault(path, threading.RLock()):
            before = self.entries.get(path) or self._new(path, raw)
            self._refuse_foreign(before, raw, gone)
            entry = replace(before.intending(raw, gone), standing=standing, deleted=True)
            self._save(entry)
            self.entries[path] = entry
            try:
                yield
            except ApiError:  # the server rejected the deletion
                self.entries[path] = before
                raise
            self.entries[path] = entry.settled(gone)

    def rejoined(self, raw: Raw) -> None:
        """Record that the Node object is there again, with all that must be written on it.

        Raises:
            ClusterError: The entry could not be written.
        """
        path = paths.node(raw["metadata"]["name"])
        with self._locks.setdefault(path, threading.RLock()):
            entry = replace(self.entries[path], uid=raw["metadata"]["uid"], deleted=False)
            self._save(entry)
            self.entries[path] = entry

    def forget(self, path: str) -> None:
        """Delete the entry of one object, in the cluster and in the local file.

        A local file that cannot be written keeps it, which does no harm: what is as it was found is not put back again.
        """
        self._cluster.transport.delete(paths.config_map(self._cluster.namespace, entry_name(self.run, path)))
        self.entries.pop(path, None)
        if self._file is not None:
            with suppress(OSError):
                if self.entries:
                    self._append({"forgotten": path, "run": self.run})
                else:
                    self._file.unlink(missing_ok=True)

    def keep(self) -> None:
        """Write every entry into the cluster again if it is not there any more: somebody deleted it, or its namespace.

        Raises:
            ClusterError: An entry cannot be written.
        """
        for entry in list(self.entries.values()):
            self._create(entry)

    def location(self) -> str:
        """Describe where the journal is stored, for messages."""
        local = f" and {self._file}" if self._file else ""
        return f"ConfigMaps labelled {JOURNAL_LABEL} in namespace {self._cluster.namespace}{local}"

    def _new(self, path: str, raw: Raw | None) -> Entry:
        uid = raw["metadata"]["uid"] if raw is not None else ""
        return Entry(self.run, self.holder, self.begun, path, uid, self._found(path, raw))

    def survey(self) -> None:
        """Note what every node shows now. A change of the strategy changes nodes that have no entry yet."""
        self._surveyed = {paths.node(view.name): self._node(view) for view in self._cluster.nodes()}

    def _found(self, path: str, raw: Raw | None) -> Found | None:
        if raw is None:
            return None
        if path.startswith(paths.nodes()):
            return self._surveyed.get(path) or self._node(node_view(raw))
        if path.startswith(paths.policies()):
            rolled = tuple(one.name for one in self._cluster.daemon_sets() if one.rolled)
            return Found({}, (), {}, rolled, policy_view(raw).strategy)
        return None

    def _node(self, view: NodeView) -> Found:
        ready = {pod.app for pod in self._cluster.operands(view.name) if pod.ready}
        strategy = self._cluster.policy().strategy
        labels = nvidia_labels(view.labels)
        return Found(labels, lasting_taints(view.taints), view.advertised, tuple(sorted(ready)), strategy)

    @staticmethod
    def _refuse_foreign(entry: Entry, raw: Raw | None, values: Mapping[Field, Value]) -> None:
        for field in values:
            known = entry.changes.get(field)
            if known is not None and not known.owns(field, raw) and not overwritten_by_product(raw, field):
                now = look_up(raw, field.keys)
                raise foreign_change(
                    field,
                    f"somebody else changed {field}: {known.written[-1]} -> {now}{by(raw, field)}. The value stays; "
                    "stop whatever made the change (a GitOps controller, another tool), then run again",
                )

    def _save(self, entry: Entry) -> None:
        """Write an entry; nothing that fails here says anything about the cluster under test."""
        writes: tuple[Callable[[], None], ...] = (
            lambda: self._append({"entry": entry.as_dict()}),
            lambda: self._write(entry),
        )
        problem: ClusterError | OSError | None = None
        for write in writes:
            try:
                if problem is None or self.finishing:
                    write()
            except (ClusterError, OSError) as error:
                problem = error
        if problem is None or self.finishing:
            return
        lost = unless_deleted(self._cluster, problem) if isinstance(problem, ApiError) else problem
        if isinstance(lost, InconclusiveError):
            raise lost from problem
        raise InconclusiveError(
            f"cannot write the original state to the journal, so the change was not made: {problem}"
        ) from problem

    def _write(self, entry: Entry) -> None:
        """Write an entry into the cluster. Where somebody has deleted it, the others may be gone too."""
        path = paths.config_map(self._cluster.namespace, entry_name(entry.run, entry.object))
        try:
            self._cluster.transport.replace(path, self._body(entry))
        except ApiError as error:
            if not error.not_found:
                raise
            if entry.object in self.entries:
                self.keep()
            if not self._create(entry):
                self._cluster.transport.replace(path, self._body(entry))

    def _create(self, entry: Entry) -> bool:
        """Create the ConfigMap of an entry; return whether there was none."""
        try:
            self._cluster.transport.create(paths.config_maps(self._cluster.namespace), self._body(entry))
        except ApiError as error:
            if not error.conflict:
                raise
            return False
        return True

    @staticmethod
    def _body(entry: Entry) -> dict[str, Any]:
        labels = {JOURNAL_LABEL: "true", RUN_LABEL: entry.run}
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": entry_name(entry.run, entry.object), "labels": labels},
            "data": {KEY: json.dumps(entry.as_dict(), sort_keys=True)},
        }

    def _append(self, line: Mapping[str, Any]) -> None:
        if self._file is None:
            return
        with self._file_lock:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            with self._file.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line, sort_keys=True) + "\n")


def is_entry(config_map: Raw) -> bool:
    """Return whether a ConfigMap in the suite's namespace belongs to a journal, also if somebody removed its labels."""
    meta = config_map["metadata"]
    return JOURNAL_LABEL in (meta.get("labels") or {}) or meta["name"].startswith(f"{_PREFIX}-")


def foreign_change(field: Field, message: str) -> ForeignChangeError | NodeLostError:
    """Return the error for a change of somebody else: it ends the work on a node, or the run."""
    if field.object.startswith(f"{paths.nodes()}/"):
        return NodeLostError(field.object.rpartition("/")[2], message)
    return ForeignChangeError(message)


def node_of(path: str) -> str:
    """Return the name of the node that a journal's object is; empty for what concerns every node."""
    return path.rpartition("/")[2] if path.startswith(f"{paths.nodes()}/") else ""


def entry_name(run: str, path: str) -> str:
    """Return the name of the ConfigMap that holds the entry of an object."""
    return f"{_PREFIX}-{run}-{hashlib.sha256(path.encode()).hexdigest()[:12]}"
