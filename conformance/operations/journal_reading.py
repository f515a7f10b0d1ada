"""Reads the journals of earlier runs, from the cluster or from a local file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from conformance.cluster import paths
from conformance.cluster.client import Cluster
from conformance.cluster.errors import ClusterError
from conformance.operations.entry import Entry
from conformance.operations.journal import KEY, Journal, entry_name, is_entry

_UNREADABLE: Final = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
"""What reading a damaged entry raises."""


@dataclass(frozen=True)
class Journals:
    """The journals of runs that were killed, or that are still active.

    Attributes:
        readable: The newest first.
        damaged: What to do about each entry that cannot be read, one line each.
    """

    readable: tuple[Journal, ...]
    damaged: tuple[str, ...] = ()


def find_journals(cluster: Cluster, file: Path | None = None) -> Journals:
    """Return the journals in the cluster and in a local file.

    An entry that is in both is taken from the cluster: the file may be an older copy. The file adds what
    somebody deleted or damaged in the cluster.

    Raises:
        ClusterError: The ConfigMaps cannot be read, or the file; see `journals_in_file`.
    """
    entries: dict[tuple[str, str], Entry] = {}
    damaged: dict[str, str] = {}
    for item in cluster.transport.list(paths.config_maps(cluster.namespace)):
        name = item["metadata"]["name"]
        try:
            if is_entry(item):
                entry = Entry.from_dict(json.loads(item["data"][KEY]))
                if name != entry_name(entry.run, entry.object):
                    raise ValueError(f"it is about {entry.object}")
                entries[entry.run, entry.object] = entry
        except _UNREADABLE:
            damaged[name] = (
                f"ConfigMap {name} in namespace {cluster.namespace} is not an entry of a journal of this version of "
                "the suite: run `mig-conformance restore apply` of the version that wrote it, or with `--journal` and "
                "the local copy; or put back by hand what it says, then run `mig-conformance restore forget`"
            )
    local = _entries_in_file(file) if file is not None else {}
    for run, path in local:
        damaged.pop(entry_name(run, path), None)
    files = {run: file for run, _ in local}
    return Journals(_by_run(cluster, (local | entries).values(), files), tuple(damaged.values()))


def journals_in_cluster(cluster: Cluster) -> tuple[Journal, ...]:
    """Return the journals in the cluster, the newest first.

    Raises:
        ClusterError: They cannot be read, or an entry is damaged; the message says what to do about it.
    """
    found = find_journals(cluster)
    if found.damaged:
        raise ClusterError("; ".join(found.damaged))
    return found.readable


def journals_in_file(cluster: Cluster, file: Path) -> tuple[Journal, ...]:
    """Return the journals in a local file, the newest first.

    A last line that is not complete is left out: the run was killed while it wrote it, so before the change.

    Raises:
        ClusterError: The file cannot be read or is not a journal.
    """
    entries = _entries_in_file(file)
    return _by_run(cluster, entries.values(), {run: file for run, _ in entries})


def _entries_in_file(file: Path) -> dict[tuple[str, str], Entry]:
    """Return the entries by run and path of the object."""
    entries: dict[tuple[str, str], Entry] = {}
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ClusterError(
            f"cannot read the journal {file}: {why}; it is the file journal-RUN.jsonl in the report folder of the run"
        ) from error
    for number, line in enumerate(lines, start=1):
        try:
            data = json.loads(line)
            if "forgotten" in data:
                entries.pop((data["run"], data["forgotten"]), None)
            else:
                entry = Entry.from_dict(data["entry"])
                entries[entry.run, entry.object] = entry
        except _UNREADABLE as error:
            if number == len(lines) and isinstance(error, ValueError):
                break
            raise ClusterError(f"{file}, line {number}: not a journal of this version of the suite") from error
    return entries


def _by_run(cluster: Cluster, entries: Iterable[Entry], files: Mapping[str, Path | None]) -> tuple[Journal, ...]:
    """Return the journals of these entries; `files` has the local copy of each run that has one."""
    runs: dict[str, list[Entry]] = {}
    for entry in entries:
        runs.setdefault(entry.run, []).append(entry)
    journals = [Journal(cluster, run, files.get(run), entries=found) for run, found in runs.items()]
    return tuple(sorted(journals, key=lambda journal: journal.begun, reverse=True))
