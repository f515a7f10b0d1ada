"""Lease, journal and restore together: whatever happens in between, the cluster is put back."""

from __future__ import annotations

import getpass
import os
import socket
from pathlib import Path
from types import TracebackType

from conformance.cluster import paths
from conformance.cluster.errors import ApiError, ClusterError
from conformance.cluster.pod_view import RUN_LABEL
from conformance.operations.journal import Journal
from conformance.operations.lease import RunLease
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.restore import Restore, RestoreOutcome, restore


def ensure_namespace(cluster: MigCluster, run: str) -> bool:
    """Make the suite's namespace unless it is there; True where it was made.

    Raises:
        ClusterError: It is not there and may not be made; says how to mend that.
    """
    body = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": cluster.namespace, "labels": {RUN_LABEL: run}},
    }
    try:
        cluster.transport.get(paths.namespace(cluster.namespace))
    except ApiError as error:
        if not error.not_found:
            raise ClusterError(f"cannot read namespace {cluster.namespace}: {error}") from error
    else:
        return False
    try:
        cluster.transport.create(paths.namespaces(), body)
    except ApiError as error:
        raise ClusterError(f"cannot make namespace {cluster.namespace}: {error}; make it once, by hand") from error
    return True


class Safekeeping:
    """Context in which a run may change a cluster.

    On entry: the namespace is there, no other run is at work, and from then on everything that `Cluster` changes is
    remembered first. On exit, also after a failure or Ctrl-C: everything is put back, and the lease is given back.

    Attributes:
        journal: What is remembered; `adopted` names killed runs whose restore this one finishes.
        report: What became of the restore; None before the exit.
    """

    journal: Journal

    def __init__(self, cluster: MigCluster, run: str, file: Path | None = None, *, at_once: int | None = None) -> None:
        """Nothing happens before entry.

        Args:
            cluster: The cluster.
            run: Id of this run, fit for a label value.
            file: Local copy of the journal; None: none.
            at_once: Nodes that are put back at the same time at most; None: all.
        """
        self._cluster = cluster
        self._run = run
        self._file = file
        self._at_once = at_once
        self._made_namespace = False
        self._lease = RunLease(cluster, f"{_user()}@{socket.gethostname()}, process {os.getpid()}, run {run}")
        self.report: Restore | None = None

    def __enter__(self) -> Safekeeping:
        self._made_namespace = ensure_namespace(self._cluster, self._run)
        self._lease.acquire()
        try:
            self.journal = Journal(self._cluster, self._run, self._file)
        except BaseException:
            self._lease.release()
            raise
        self._cluster.remember = self.journal.remember
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._lease.taken_over:
            self.report = _failed("another run took this cluster over and puts back what this one changed")
            return
        try:
            self.report = restore(self._cluster, self.journal, at_once=self._at_once)
        except BaseException:
            self.report = _failed(f"the restore was interrupted; the next run finishes it from {self.journal.location()}")
            raise
        finally:
            self._give_back()

    def _give_back(self) -> None:
        """Give back lease and namespace; where that fails, the first error of the run must stay the visible one."""
        self._cluster.remember = lambda _: None
        try:
            self._lease.release()
            if self._made_namespace and self.journal.empty:
                self._cluster.transport.delete(paths.namespace(self._cluster.namespace))
        except ClusterError as error:
            self.report = _failed(*(self.report.differences if self.report else ()), str(error))


def _failed(*differences: str) -> Restore:
    return Restore(RestoreOutcome.FAILED, differences)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
