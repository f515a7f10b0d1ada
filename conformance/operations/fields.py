"""Names single values in objects of the API server, and builds the patch that changes them only if nobody else has."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from conformance.cluster import paths
from conformance.cluster.views import Raw
from conformance.spec.mig_parted import ALL_DISABLED
from conformance.spec.names import DEPLOY_PREFIX, MIG_CONFIG, MIG_CONFIG_STATE, PAUSED

Value = Any
"""A JSON value; None means that the field is absent."""

READERS_OF_CONFIGURATION: Final = frozenset({"gpu-operator", "mig-manager", "nvidia-mig-manager"})
"""Field managers of the product that read `mig.config`; they may at most set it on a node that has none."""
_NVSM: Final = DEPLOY_PREFIX + "nvsm"
_LABELS: Final = ("metadata", "labels")
_ANNOTATIONS: Final = ("metadata", "annotations")
_CORDON: Final = ("spec", "unschedulable")


@dataclass(frozen=True, order=True)
class Field:
    """One value in one object; `str()` gives it in words. Use the functions below to make one.

    Attributes:
        object: Path of the object on the API server, see `conformance.cluster.paths`.
        keys: Keys from the root of the object down to the value. A list is one value, not several. Empty for the
            object as a whole, which the suite creates and deletes.
    """

    object: str
    keys: tuple[str, ...]

    @property
    def label(self) -> str:
        """Key of the label; empty if this is not a label."""
        return self.keys[2] if self.keys[:2] == _LABELS and len(self.keys) == 3 else ""

    @property
    def is_cordon(self) -> bool:
        """Whether this is the cordon of a node."""
        return self.keys == _CORDON

    def __str__(self) -> str:
        if not self.keys:
            return object_name(self.object)
        if self.keys[:2] in (_LABELS, _ANNOTATIONS) and len(self.keys) == 3:
            what = f"{self.keys[1].removesuffix('s')} {self.keys[2]}"
        else:
            what = ".".join(self.keys)
        return f"{what} of {object_name(self.object)}"


def label(node: str, key: str) -> Field:
    """A label of a node."""
    return Field(paths.node(node), (*_LABELS, key))


def annotation(node: str, key: str) -> Field:
    """An annotation of a node."""
    return Field(paths.node(node), (*_ANNOTATIONS, key))


def cordon(node: str) -> Field:
    """`spec.unschedulable` of a node: True if it is cordoned, absent if it is not."""
    return Field(paths.node(node), _CORDON)


def policy_field(policy: str, *keys: str) -> Field:
    """A field below `spec` of a ClusterPolicy: `policy_field(name, "migManager", "config", "name")`."""
    return Field(paths.policy(policy), ("spec", *keys))


def config_map_key(namespace: str, name: str, key: str) -> Field:
    """One key of the data of a ConfigMap that exists."""
    return Field(paths.config_map(namespace, name), ("data", key))


def object_name(path: str) -> str:
    """Kind and name of an object by its path: `node a`, `clusterpolicy cluster-policy`, `configmap ns/name`."""
    *_, plural, name = path.split("/")
    kind = "clusterpolicy" if plural == "clusterpolicies" else plural.removesuffix("s")
    namespace = f"{path.split('/namespaces/')[1].split('/')[0]}/" if "/namespaces/" in path else ""
    return f"{kind} {namespace}{name}"


def look_up(raw: Raw | None, keys: tuple[str, ...]) -> Value:
    """Return the value at `keys`; None if it or a parent is absent."""
    found: Value = raw
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found


def writers(raw: Raw | None, field: Field) -> list[str]:
    """Return the field managers that own a field; empty if it is absent, or if the server does not record them."""
    keys = tuple(f"f:{key}" for key in field.keys)
    managers = look_up(raw, ("metadata", "managedFields")) or ()
    return [str(one.get("manager", "")) for one in managers if look_up(one.get("fieldsV1"), keys) is not None]


def by(raw: Raw | None, field: Field) -> str:
    """Return ` (by MANAGER)` for the field manager that owns a field; empty if the server records none."""
    found = writers(raw, field)
    return f" (by {found[-1]})" if found else ""


def depth(raw: Raw | None, keys: tuple[str, ...]) -> int:
    """Return how many of `keys` exist, from the root down; 0 if the object does not exist."""
    return next((length for length in range(len(keys)) if look_up(raw, keys[: length + 1]) is None), len(keys))


def turned_into(field: Field, value: Value) -> tuple[Value, ...]:
    """Return the values that the components of the product may make of a value that the suite left in a field.

    mig-manager pauses deploy labels that are `true`, and gives a node the label `nvsm`; the operator gives a node
    without `mig.config`, or with an empty one, its default. Source: docs/reference/mig-manager.md#deploy-labels,
    docs/reference/gpu-operator.md#default-label.
    """
    if field.label == MIG_CONFIG and not value:
        return (ALL_DISABLED,)
    if field.label == _NVSM and value is None:
        return ("true", PAUSED)
    if field.label.startswith(DEPLOY_PREFIX) and value == "true":
        return (PAUSED,)
    return ()


def product_writes(label: str) -> bool:
    """Whether mig-manager writes this label too, so that a reconfiguration changes it without a write of the suite."""
    return label == MIG_CONFIG_STATE or label.startswith(DEPLOY_PREFIX)


def overwritten_by_product(raw: Raw | None, field: Field) -> bool:
    """Whether the product wrote a configuration over the one that a node was asked for: a defect of its own.

    While the suite watches, nobody else can have removed the label in between.
    """
    who = set(writers(raw, field))
    return field.label == MIG_CONFIG and bool(who) and who <= READERS_OF_CONFIGURATION


def guarded_patch(raw: Raw, changes: Mapping[Field, Value], unguarded: Mapping[Field, Value]) -> list[dict[str, Any]]:
    """Return the JSON patch that makes the changes if the fields in `changes` are still as in `raw`; empty if none.

    Args:
        raw: The object as it was read.
        changes: New values, by field of this object.
        unguarded: New values of fields that others may have changed since; they are overwritten.
    """
    tests: list[dict[str, Any]] = []
    writes: list[dict[str, Any]] = []
    after = copy.deepcopy(dict(raw))
    # A JSON patch cannot test that a field is absent, so it tests that the object is unchanged.
    unchanged = {"op": "test", "path": "/metadata/resourceVersion", "value": raw["metadata"]["resourceVersion"]}
    for field, value in {**unguarded, **changes}.items():
        now = look_up(raw, field.keys)
        if now == value:
            continue
        test = unchanged if now is None else {"op": "test", "path": _pointer(field.keys), "value": now}
        if test not in tests and (field in changes or now is None):
            tests.append(test)
        writes.append(_write(after, field.keys, value))
    return [*tests, *writes]


def shortest_absent(raw: Raw, keys: tuple[str, ...], existed: int) -> tuple[str, ...]:
    """Return what must be removed so that `keys` is absent as it was: with the parents that the suite created.

    Args:
        raw: The object as it is.
        keys: The field.
        existed: How many of the keys existed before the suite set the field, from the root down.
    """
    while len(keys) > existed + 1 and len(look_up(raw, keys[:-1]) or ()) <= 1:
        keys = keys[:-1]
    return keys


def _write(after: dict[str, Any], keys: tuple[str, ...], value: Value) -> dict[str, Any]:
    """Make the change in `after`, and return the operation that makes it on the server."""
    there = depth(after, keys)
    parent = look_up(after, keys[: min(there, len(keys) - 1)])
    if value is None:
        del parent[keys[-1]]
        return {"op": "remove", "path": _pointer(keys)}
    top = keys[: min(there + 1, len(keys))]
    for key in reversed(keys[len(top) :]):
        value = {key: value}
    parent[top[-1]] = value
    return {"op": "add", "path": _pointer(top), "value": copy.deepcopy(value)}


def _pointer(keys: tuple[str, ...]) -> str:
    return "".join("/" + key.replace("~", "~0").replace("/", "~1") for key in keys)
