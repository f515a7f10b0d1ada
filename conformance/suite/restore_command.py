"""`mig-conformance restore`: shows, applies or forgets what runs that were killed left in a cluster."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from conformance.backends.backend import READ_ONLY, Attachment, BackendError
from conformance.backends.live import CONTEXT, KUBECONFIG, LiveBackend
from conformance.cluster import paths
from conformance.cluster.client import SUITE_NAMESPACE
from conformance.cluster.clock import RealClock
from conformance.cluster.connecting import connect
from conformance.cluster.errors import ClusterError
from conformance.cluster.limits import TIMEOUTS, Limits
from conformance.flags import CommandParser, OptionError, declare, flag, path, read
from conformance.operations.comparison import back, compare, describe
from conformance.operations.errors import LeaseHeldError
from conformance.operations.fields import object_name
from conformance.operations.journal import Journal, is_entry
from conformance.operations.journal_reading import Journals, find_journals, journals_in_file
from conformance.operations.lease import lease_holder
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.namespace import namespace_exists
from conformance.operations.restored import Restore, RestoreOutcome
from conformance.operations.safekeeping import Safekeeping
from conformance.suite.termination import Termination
from conformance.wording import counted

ACTIONS = {
    "show": "list what runs that were killed have not put back, and compare it with the cluster",
    "apply": "put it back, except for what others changed since, and remove all that the suite created",
    "forget": "delete the journal and leave the cluster as it is",
}


class Exit(IntEnum):
    """Exit status."""

    DONE = 0
    """Nothing is to be put back any more."""
    NOT_RESTORED = 1
    """Something is not put back: `apply` could not, or `show` has found it."""
    NOT_BEGUN = 4


@dataclass(frozen=True)
class RestoreOptions:
    """The options of `mig-conformance restore`.

    Attributes:
        kubeconfig: Kubeconfig of the cluster; None for the one that kubectl would use.
        context: Context of the kubeconfig; None for its current one.
        journal: Local file of the journal, used in addition to the journal in the cluster; None for none.
        limits: Time limits of all waits.
    """

    kubeconfig: Path | None = field(default=None, metadata=KUBECONFIG)
    context: str | None = field(default=None, metadata=CONTEXT)
    journal: Path | None = field(
        default=None,
        metadata=flag(
            "--journal",
            metavar="FILE",
            read=path,
            help="also use this local copy of the journal, journal-RUN.jsonl in the report folder of the run",
            default="only the journal in the cluster",
        ),
    )
    limits: Limits = field(
        default_factory=Limits,
        metadata=TIMEOUTS,
    )


def main(arguments: Sequence[str]) -> tuple[int, Iterable[str]]:
    """Run the command; returns the exit status and the lines to print.

    0: done, or nothing to do. 1: something is not put back: it could not be, or `show` lists it. 4: the command could
    not begin; one line says why.
    """
    parser = CommandParser(prog="mig-conformance restore", description=__doc__)
    parser.add_argument("action", choices=ACTIONS, help="; ".join(f"{name}: {text}" for name, text in ACTIONS.items()))
    declare(RestoreOptions, parser.add_argument)
    given = parser.parse_args(arguments)
    try:
        options = read(RestoreOptions, vars(given))
        backend = LiveBackend(options.kubeconfig, options.context, READ_ONLY, options.limits)
        try:
            attachment = backend.start()
            return _apply(options, attachment) if given.action == "apply" else _look(given.action, options, attachment)
        finally:
            backend.stop()
    except (OptionError, BackendError, ClusterError) as error:
        return Exit.NOT_BEGUN, [f"ERROR: {error}"]
    except KeyboardInterrupt:
        return Exit.NOT_RESTORED, ["ERROR: interrupted; what is left stays in the journal, so run it again"]


def _look(action: str, options: RestoreOptions, attachment: Attachment) -> tuple[int, list[str]]:
    """Show or forget. Needs no more of the cluster than the journal: the operator may be gone."""
    with closing(connect(attachment.kubeconfig, attachment.context, options.limits)) as transport:
        cluster = MigCluster(transport, RealClock(), SUITE_NAMESPACE)
        if action == "forget":
            return Exit.DONE, _forget(cluster, options)
        found = find_journals(cluster, options.journal)
        left = [*_shown(cluster, found.readable), *found.damaged]
        return Exit.NOT_RESTORED if left else Exit.DONE, [*_active(cluster), *(left or ["nothing to put back"])]


def _active(cluster: MigCluster) -> Iterator[str]:
    if holder := lease_holder(cluster):
        yield f"active now, or killed less than {cluster.limits.lease:.0f} s ago: {holder}"


def _shown(cluster: MigCluster, journals: Iterable[Journal]) -> list[str]:
    lines = []
    for journal in journals:
        lines.append(f"{journal.who}, has not put back:")
        unchanged = 0
        for entry in journal.entries.values():
            compared = compare(cluster, entry)
            lines += [f"  {line}" for line in describe(compared)]
            unchanged += len(back(compared))
        if unchanged:
            lines.append(f"  {counted(unchanged, 'value')} as found already; `restore apply` verifies that")
    return lines


def _forget(cluster: MigCluster, options: RestoreOptions) -> list[str]:
    if holder := lease_holder(cluster):
        raise LeaseHeldError(
            f"{holder} is active, and needs its journal; wait until it ends, or a minute if it was killed"
        )
    maps = cluster.transport.list(paths.config_maps(cluster.namespace))
    names = [one["metadata"]["name"] for one in maps if is_entry(one)]
    for name in names:
        cluster.transport.delete(paths.config_map(cluster.namespace, name))
    if options.journal is not None:
        options.journal.unlink(missing_ok=True)
    found = [f"{counted(len(names), 'ConfigMap')} of the journal"] if names or options.journal is None else []
    if options.journal is not None:
        found.append(str(options.journal))
    return [f"forgot {' and '.join(found)}; the cluster stays as it is"]


def _apply(options: RestoreOptions, attachment: Attachment) -> tuple[int, list[str]]:
    with (
        Termination() as termination,
        MigCluster.connect(
            attachment.kubeconfig, context=attachment.context, limits=options.limits, without_operator=True
        ) as cluster,
    ):
        if find_journals(cluster, options.journal) == Journals(()) and not namespace_exists(cluster):
            return Exit.DONE, ["nothing to put back"]
        _refuse_that_of_another_cluster(cluster, options.journal)
        if holder := lease_holder(cluster):
            limit = f"{cluster.limits.lease:.0f} s after its last sign of life"
            sys.stderr.write(f"{holder} holds the lease; waiting until it ends, or until the lease expires, {limit}\n")
        keeping = Safekeeping(cluster, secrets.token_hex(4))
        termination.hurry = keeping.hurry
        with keeping.finishing(options.journal):
            termination.defer()
        report = keeping.report or Restore()
        failed = keeping.unfinished or keeping.damaged or report.outcome is RestoreOutcome.FAILED
        lines = [*keeping.earlier, *keeping.damaged, *report.differences, *report.changed_since]
        return Exit.NOT_RESTORED if failed else Exit.DONE, lines or ["nothing to put back"]


def _refuse_that_of_another_cluster(cluster: MigCluster, file: Path | None) -> None:
    """Raise an error if none of the objects in a local journal is in this cluster: applied here, it would be lost."""
    entries = [it for one in (journals_in_file(cluster, file) if file else ()) for it in one.entries.values()]
    kept = [entry for entry in entries if entry.uid and not entry.deleted]
    if kept and all(compare(cluster, entry).raw is None for entry in kept):
        names = ", ".join(object_name(entry.object) for entry in kept)
        raise ClusterError(
            f"{file} is the journal of another cluster: here is none of what it is about ({names}). Choose that one "
            "with --kubeconfig or --context; if all that is gone for good, `mig-conformance restore forget`"
        )
