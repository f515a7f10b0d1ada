"""Combines lease, journal and restore: however the run ends, the cluster is put back."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from conformance.cluster.errors import ClusterError, InconclusiveError
from conformance.operations.errors import LeaseHeldError
from conformance.operations.journal import Journal
from conformance.operations.journal_reading import Journals, find_journals
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
        damaged: What to do about each entry of an earlier journal that cannot be read, one line each.
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
        self.damaged: tuple[str, ...] = ()
        self.report: Restore | None = None
        self.entered = False

    def __enter__(self) -> Safekeeping:
        return self.enter()

    def enter(self) -> Safekeeping:
        """Take the lease, finish earlier runs, and record what is changed from now on.

        Raises:
            LeaseHeldError: Another run holds the lease; nothing was changed.
            ClusterError: The namespace, the lease or an earlier journal cannot be read or written.
        """
        with self._withdrawing():
            self._finish_earlier_runs()
            if self.damaged:
                raise ClusterError("; ".join(self.damaged))
            self.journal.survey()
            self._cluster.journal = self.journal
        return self

    @contextmanager
    def finishing(self, file: Path | None) -> Iterator[None]:
        """Take the lease, once that of a killed run has expired, and finish earlier runs; the block changes nothing.

        An entry of a journal that cannot be read prevents nothing: see `damaged`.

        Args:
            file: Local copy of a journal, used in addition to what is in the cluster; None for none.

        Raises:
            LeaseHeldError, ClusterError: As for `enter`; also if the file cannot be read.
        """
        check = self._cluster.before_check
        self._cluster.before_check = self._cluster.guard.check_present  # nothing is tested that others may spoil
        try:
            with self._withdrawing():
                self._finish_earlier_runs(file, patiently=True)
            try:
                yield
            finally:
                self.__exit__(None, None, None)
        finally:
            self._cluster.before_check = check

    @contextmanager
    def _withdrawing(self) -> Iterator[None]:
        """Leave neither lease nor namespace of this run behind if it cannot begin: it has changed nothing yet."""
        try:
            yield
            self.entered = True
        except BaseException:
            self.entered, self._cluster.journal = False, None
            with suppress(ClusterError):
                self._lease.release()
                if not lease_holder(self._cluster) and find_journals(self._cluster) == Journals(()):
                    remove_namespace(self._cluster, wait=not self._hurried, of=self._run)
            raise

    def _finish_earlier_runs(self, file: Path | None = None, *, patiently: bool = False) -> None:
        ensure_namespace(self._cluster, self._run)
        self._lease.acquire(patiently=patiently)
        remove_leftovers(self._cluster)  # of runs that were killed: their pods hold GPUs
        found = find_journals(self._cluster, file)
        self.damaged = found.damaged
        for journal in found.readable:
            self._finish(journal)

    def _finish(self, journal: Journal) -> None:
        report = restore(self._cluster, journal, at_once=self.at_once, hurried=lambda: self._hurried)
        self.earlier += described(journal, report)
        if report.outcome is RestoreOutcome.FAILED:
            why = f"run {journal.run} changed it and could not be put back: {'; '.join(report.differences)}"
            self.unfinished |= dict.fromkeys(journal.entries, why)

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
            if self.journal.empty and not self.unfinished and not self.damaged:
                self._remove_namespace()
        except ClusterError as problem:
            self.report = (self.report or Restore()).worse(problem)

    def _remove_namespace(self) -> None:
        if kept := remove_namespace(self._cluster, wait=not self._hurried):
            report = self.report or Restore()
            self.report = replace(report, changed_since=(*report.changed_since, kept))

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
