"""Compares an entry of a journal with the cluster: what is still the suite's, and what others changed since."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from conformance.cluster import paths
from conformance.cluster.client import Cluster
from conformance.cluster.errors import ApiError
from conformance.cluster.views import Raw
from conformance.operations.entry import Change, Entry
from conformance.operations.fields import Field, Value, by, label, look_up, object_name, turned_into
from conformance.spec.names import DEPLOY_PREFIX, MIG_CONFIG, MIG_CONFIG_STATE


@dataclass(frozen=True)
class Comparison:
    """One object of the journal as it is now.

    Attributes:
        entry: The entry.
        raw: The object; None if it does not exist, or if there is another object of that name.
        own: Fields that have a value of the suite, or what the product made of it, and must be put back.
        changed_since: What others changed since, by field, one line each. These stay as they are. The field without
            keys stands for the object as a whole.
    """

    entry: Entry
    raw: Raw | None
    own: Mapping[Field, Change] = field(default_factory=dict)
    changed_since: Mapping[Field, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Name of the object."""
        return self.entry.object.rpartition("/")[2]

    @property
    def asked_before(self) -> str:
        """Describe that others set `mig.config` after the node was read and before the suite did; empty if nobody did.

        Theirs is put back then, and what else was found on the node belonged to another configuration.
        """
        change = self.entry.changes.get(label(self.name, MIG_CONFIG))
        if change is None or self.entry.found is None:
            return ""
        found = self.entry.found.labels.get(MIG_CONFIG)
        if change.original == found:
            return ""
        return f"{label(self.name, MIG_CONFIG)} was {_text(change.original)} when the suite set it, was {_text(found)}"

    def untouched(self, field: Field) -> bool:
        """Whether nobody else changed the field or deleted the object."""
        return field not in self.changed_since and Field(self.entry.object, ()) not in self.changed_since


def compare(cluster: Cluster, entry: Entry) -> Comparison:
    """Read the object of an entry and compare.

    Raises:
        ClusterError: The object cannot be read.
    """
    try:
        raw: dict[str, Any] | None = cluster.transport.get(entry.object)
    except ApiError as error:
        if not error.not_found:
            raise
        raw = None
    whole = Field(entry.object, ())
    if whole in entry.changes:
        return compare_created(entry, raw)
    if raw is None:
        by_others = entry.changes and not entry.deleted
        return Comparison(entry, None, {}, {whole: f"{object_name(entry.object)} is gone"} if by_others else {})
    if raw["metadata"]["uid"] != entry.uid and not entry.deleted:
        line = f"{object_name(entry.object)} is another object of the same name, which stays as it is"
        return Comparison(entry, None, {}, {whole: line + _copied(entry, raw)})
    return _compare_fields(entry, raw)


def _copied(entry: Entry, raw: Raw) -> str:
    """Describe values of the suite in an object that somebody created in place of another, maybe as a copy of it."""
    told = [
        f"{one} is {_text(change.written[-1])}, was {_text(change.original)}"
        for one, change in entry.changes.items()
        if look_up(raw, one.keys) == change.written[-1] != change.original
    ]
    return f"; it has values of the suite: {'; '.join(told)}" if told else ""


def compare_created(entry: Entry, raw: Raw | None) -> Comparison:
    """Compare an object that the suite created; None for `raw` if it does not exist."""
    whole = Field(entry.object, ())
    change = entry.changes[whole]
    if raw is None:
        return Comparison(entry, None)
    edited = {one.keys for one, edit in entry.changes.items() if one.keys and edit.owns(one, raw)}
    if any(_contains(raw, body, edited) for body in change.written):
        return Comparison(entry, raw, {whole: change})
    return Comparison(entry, raw, {}, {whole: f"{whole} is not as the suite created it, and stays as it is"})


def _compare_fields(entry: Entry, raw: Raw) -> Comparison:
    own: dict[Field, Change] = {}
    since = _asked_by_others(entry, raw)
    for one, change in {**entry.changes, **_by_products(entry, raw)}.items():
        now = look_up(raw, one.keys)
        if now == change.original:
            continue
        if change.owns(one, raw):
            own[one] = change
        else:
            since[one] = describe_foreign(raw, one, change)
    return Comparison(entry, raw, own, since)


def _asked_by_others(entry: Entry, raw: Raw) -> dict[Field, str]:
    """The label `mig.config` of a node for which the suite has not asked for a configuration."""
    one = label(entry.object.rpartition("/")[2], MIG_CONFIG)
    if entry.found is None or not entry.object.startswith(paths.nodes()) or one in entry.changes:
        return {}
    original, now = entry.found.labels.get(MIG_CONFIG), look_up(raw, one.keys)
    if now == original or now in turned_into(one, original):
        return {}
    return {one: describe_foreign(raw, one, Change(original, (), len(one.keys)))}


def _by_products(entry: Entry, raw: Raw) -> dict[Field, Change]:
    """Deploy labels that mig-manager changed because the suite asked it for a configuration."""
    name = entry.object.rpartition("/")[2]
    if entry.found is None or label(name, MIG_CONFIG) not in entry.changes:
        return {}
    now = look_up(raw, ("metadata", "labels")) or {}
    found = {}
    for key in entry.found.labels.keys() | now.keys():
        one, original = label(name, key), entry.found.labels.get(key)
        if key.startswith(DEPLOY_PREFIX) and one not in entry.changes and now.get(key) in turned_into(one, original):
            found[one] = Change(original, (), len(one.keys))
    return found


def describe(compared: Comparison) -> list[str]:
    """Describe what a restore would do with an object, one line for each field that is not as it was."""
    if compared.entry.deleted:
        name = object_name(compared.entry.object)
        gone = "" if compared.raw else ", once kubelet has registered it again"
        return [f"{name} was deleted by the suite: its labels, annotations, taints and cordon to be put back{gone}"]
    lines = [f"{line}: stays as it is" for line in compared.changed_since.values()]
    for one, change in compared.own.items():
        now = f" is {_text(look_up(compared.raw, one.keys))}," if one.keys else ""
        lines.append(f"{one}{now} to be put back: {_text(change.original) if one.keys else 'deleted'}")
    if unapplied := _unapplied(compared):
        lines.append(unapplied)
    return lines


def back(compared: Comparison) -> list[Field]:
    """Return the fields that the suite changed and that are as they were."""
    return [one for one in compared.entry.changes if one not in compared.own and compared.untouched(one)]


def _unapplied(compared: Comparison) -> str:
    """Describe that a node has its label back, and mig-manager's answer is not that of before; empty if not so."""
    wanted, found = label(compared.name, MIG_CONFIG), compared.entry.found
    if compared.raw is None or found is None or wanted not in back(compared):
        return ""
    state = label(compared.name, MIG_CONFIG_STATE)
    now, was = look_up(compared.raw, state.keys), found.labels.get(MIG_CONFIG_STATE)
    if was in (None, now):
        return ""
    return f"{state} is {_text(now)}, was {_text(was)}: {wanted} is as it was, but not applied"


def describe_foreign(raw: Raw, field: Field, change: Change) -> str:
    """Describe in one line that a field has a value of somebody else."""
    now = look_up(raw, field.keys)
    return f"{field} is {_text(now)}{by(raw, field)}, was {_text(change.original)}{_written(change)}"


def _written(change: Change) -> str:
    return f", and the suite had set {_text(change.written[-1])}" if change.written else ""


def _text(value: Value) -> str:
    return "absent" if value is None else str(value)


def _contains(now: Value, written: Value, edited: Set[tuple[str, ...]], at: tuple[str, ...] = ()) -> bool:
    """Whether an object is as the suite created it and edited it since; the server may have added fields."""
    if at in edited:
        return True
    if isinstance(written, Mapping):
        return isinstance(now, Mapping) and all(
            _contains(now.get(key), value, edited, (*at, key)) for key, value in written.items()
        )
    return bool(now == written)
