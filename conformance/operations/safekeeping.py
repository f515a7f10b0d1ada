"""Combines lease, journal and restore: however the run ends, the cluster is put back."""

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
    """Create the suite's namespace if it does not exist. Return whether it was created.

    Raises:
        ClusterError: The namespace cannot be read, or it does not exist and cannot be created; the message says how to
            fix that.
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
        raise ClusterError(
            f"cannot create namespace {cluster.namespace}: {error}; create it once with an account that may"
        ) from error
    return True


class Safekeeping:
    """Context manager within which a run may change a cluster.

    On entry it creates the namespace, acquires the lease, and makes the cluster record everything in the journal before
    it is changed. On exit, also after a failure or Ctrl-C, it puts everything back and releases the lease.

    Attributes:
        journal: The original state, including entries of killed runs, whose restore this run finishes.
        report: Report of the restore; None before the exit.
    """

    journal: Journal

    def __init__(self, cluster: MigCluster, run: str, file: Path | None = None, *, at_once: int | None = None) -> None:
        """Prepare the context. Nothing is written before it is entered.

        Args:
            cluster: The cluster.
            run: Id of this run; must be a valid label value.
            file: Path of the local copy of the journal; None for no local copy.
            at_once: Maximum number of nodes to put back at the same time; None means the limit of `side_by_side`.
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
            self.report = _failed("another run took over this cluster and puts back what this one changed")
            return
        try:
            self.report = restore(self._cluster, self.journal, at_once=self._at_once)
        except BaseException:
            location = self.journal.location()
            self.report = _failed(f"the restore was interrupted; the next run finishes it from {location}")
            raise
        finally:
            self._give_back()

    def _give_back(self) -> None:
        """Release the lease and delete the namespace if it was created and the journal is empty.

        A failure goes to the report instead of being raised, so that it does not hide the error that ended the run.
        """
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
