"""Combines lease, journal and restore: however the run ends, the cluster is put back."""

from __future__ import annotations

import getpass
import os
import socket
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from conformance.cluster.errors import ClusterError, InconclusiveError
from conformance.operations.errors import LeaseHeldError
from conformance.operations.journal import Journal
from conformance.operations.journal_reading import journals_in_cluster
from conformance.operations.lease import RunLease, lease_holder
from conformance.operations.leftovers import remove_leftovers
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.namespace import ensure_namespace, remove_namespace
from conformance.operations.restore import restore
from conformance.operations.restored import Restore, RestoreOutcome


class Safekeeping:
    """Context manager within which a run may change a cluster.

    On entry it creates the namespace, acquires the lease, finishes the restore of runs that were killed, and makes the
    cluster record every change in the journal. On exit, also after a failure or Ctrl-C, it puts everything back and
    releases the lease.

    Attributes:
        journal: What this run found and changed.
        earlier: One line for each earlier run whose journal was in the cluster.
        unfinished: Why an object that an earlier run changed could not be put back, by path of the object. This run
            must not change these objects.
        report: Report of the restore; None before the exit.
        entered: Whether the context was entered and not left.
    """

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
        self._hurried = False
        holder = f"{_user()}@{socket.gethostname()}, process {os.getpid()}, run {run}"
        self._lease = RunLease(cluster, holder)
        self.at_once = at_once
        self.journal = Journal(cluster, run, file, holder=holder)
        self.earlier: list[str] = []
        self.unfinished: dict[str, str] = {}
        self.report: Restore | None = None
        self.entered = False

    def __enter__(self) -> Safekeeping:
        return self.enter()

    def enter(self, *, patiently: bool = False) -> Safekeeping:
        """Take the lease and finish earlier runs; see `RunLease.acquire` for `patiently`.

        Raises:
            LeaseHeldError: Another run holds the lease; nothing was changed.
            ClusterError: The namespace, the lease or an earlier journal cannot be read or written.
        """
        try:
            ensure_namespace(self._cluster, self._run)
            self._lease.acquire(patiently=patiently)
            remove_leftovers(self._cluster)  # of runs that were killed: their pods hold GPUs
            for journal in journals_in_cluster(self._cluster):
                self.finish(journal)
            self.journal.survey()
            self._cluster.journal = self.journal
            self.entered = True
        except BaseException:
            self._withdraw()
            raise
        return self

    def _withdraw(self) -> None:
        """Leave neither lease nor namespace of this run behind, which has changed nothing yet."""
        self.entered, self._cluster.journal = False, None
        with suppress(ClusterError):
            self._lease.release()
            if not lease_holder(self._cluster) and not journals_in_cluster(self._cluster):
                remove_namespace(self._cluster, wait=not self._hurried, of=self._run)

    def finish(self, journal: Journal) -> Restore:
        """Put back what an earlier run changed. The lease must be held."""
        report = restore(self._cluster, journal, at_once=self.at_once, hurried=lambda: self._hurried)
        self.earlier += described(journal, report)
        if report.outcome is RestoreOutcome.FAILED:
            why = f"run {journal.run} changed it and could not be put back: {'; '.join(report.differences)}"
            self.unfinished |= dict.fromkeys(journal.entries, why)
        return report

    def hurry(self) -> None:
        """End every wait, and make the restore put back what is left without waiting for its effect."""
        self._hurried = True
        self._cluster.give_up(InconclusiveError("interrupted"))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.entered = False
        if self._lease.another_holds_it():
            took_over = LeaseHeldError("another run took over this cluster and puts back what this one changed")
            self.report = Restore().worse(took_over)
            self._cluster.journal = None
            return
        try:
            self.report = restore(self._cluster, self.journal, at_once=self.at_once, hurried=lambda: self._hurried)
        except BaseException as problem:
            self.report = Restore().worse(
                ClusterError(
                    f"the restore was not completed ({type(problem).__name__}: {problem}); "
                    f"`mig-conformance restore apply` completes it from {self.journal.location()}"
                )
            )
            if not isinstance(problem, Exception):
                raise
        finally:
            self._give_back()

    def _give_back(self) -> None:
        """Release the lease and delete the namespace if the suite created it and no journal is left.

        A journal that is left is written again where somebody deleted it, so that the next run finds it.

        A failure goes to the report instead of being raised, so that it does not hide the error that ended the run.
        """
        self._cluster.journal = None
        self._keep_journal()
        try:
            self._lease.release()
            if self.journal.empty and not self.unfinished:
                remove_namespace(self._cluster, wait=not self._hurried)
        except ClusterError as problem:
            self.report = (self.report or Restore()).worse(problem)

    def _keep_journal(self) -> None:
        if self.journal.empty:
            return
        try:
            ensure_namespace(self._cluster, self._run)
            self.journal.keep()
        except ClusterError as problem:
            self.report = (self.report or Restore()).worse(problem, "the journal is not in the cluster")


def described(journal: Journal, report: Restore) -> list[str]:
    """Describe what became of the journal of an earlier run, for reports."""
    if report.outcome is RestoreOutcome.FAILED:
        return [f"{journal.who}, was not put back: {line}" for line in report.differences] + _since(journal, report)
    done = "; ".join(report.put_back) or "nothing was left to put back"
    return [f"{journal.who}, was finished: {done}", *_since(journal, report)]


def _since(journal: Journal, report: Restore) -> list[str]:
    return [f"{journal.who}, changed since by others: {line}" for line in report.changed_since]


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"
