"""Reads the journals of earlier runs, from the cluster or from a local file."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from conformance.cluster import paths
from conformance.cluster.client import Cluster
from conformance.cluster.errors import ClusterError
from conformance.operations.entry import Entry
from conformance.operations.journal import JOURNAL_LABEL, KEY, Journal


def journals_in_cluster(cluster: Cluster) -> list[Journal]:
    """Return the journals in the cluster, the newest first: of runs that were killed, or that are still active.

    Raises:
        ClusterError: They cannot be read; the message says how to delete an entry that is damaged.
    """
    query = {"labelSelector": JOURNAL_LABEL}
    items = cluster.transport.list(paths.config_maps(cluster.namespace), query)
    return _by_run(cluster, [_entry_of(cluster, item) for item in items], None)


def journals_in_file(cluster: Cluster, file: Path) -> list[Journal]:
    """Return the journals in a local file, the newest first.

    A last line that is not complete is left out: the run was killed while it wrote it, so before the change.

    Raises:
        ClusterError: The file cannot be read or is not a journal.
    """
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
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            if number == len(lines) and isinstance(error, ValueError):
                break
            raise ClusterError(f"{file}, line {number}: not a journal of this version of the suite") from error
    return _by_run(cluster, entries.values(), file)


def _by_run(cluster: Cluster, entries: Iterable[Entry], file: Path | None) -> list[Journal]:
    runs: dict[str, list[Entry]] = {}
    for entry in entries:
        runs.setdefault(entry.run, []).append(entry)
    journals = [Journal(cluster, run, file, entries=found) for run, found in runs.items()]
    return sorted(journals, key=lambda journal: journal.begun, reverse=True)


def _entry_of(cluster: Cluster, item: Mapping[str, Any]) -> Entry:
    name = item["metadata"]["name"]
    try:
        return Entry.from_dict(json.loads(item["data"][KEY]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ClusterError(
            f"ConfigMap {name} in namespace {cluster.namespace} is not an entry of a journal of this version of the "
            "suite: run `mig-conformance restore apply` of the version that wrote it, or put back by hand what it "
            "says, then run `mig-conformance restore forget`"
        ) from error
