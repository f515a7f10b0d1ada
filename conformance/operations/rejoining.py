"""Node objects that the suite deletes: what people had written on them is recorded before, and put back afterwards.

A Node object that kubelet registers again has the labels of kubelet alone. The product's components write theirs again;
labels, annotations, taints and the cordon of everybody else would be lost. The journal has them from before the
deletion until the end of the run, so that also a later run, or `mig-conformance restore apply`, can put them back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from typing import Any, Final

from conformance.cluster import paths
from conformance.cluster.errors import ClusterError
from conformance.cluster.views import Raw
from conformance.operations.fields import Field, Value, annotation, cordon, label, look_up, writers
from conformance.operations.interference import PRODUCT_WRITERS
from conformance.operations.mig_cluster import MigCluster
from conformance.spec.names import MIG_CONFIG, MIG_CONFIG_STATE

_NOT_KEPT: Final = (MIG_CONFIG, MIG_CONFIG_STATE)
"""Labels of the request: the journal has the first, and mig-manager writes the second."""
_OF_KUBERNETES: Final = "node.kubernetes.io/"
"""Kubernetes sets these taints itself."""


def delete_node(cluster: MigCluster, name: str) -> None:
    """Delete a Node object; what people wrote on it, and that this is done, is in the journal before.

    Follow it by `put_back`, or by `create_node`. Call it within `Guard.away`.

    Raises:
        NodeLostError: Somebody else changed `mig.config` of the node.
        ApiError: The node does not exist, or the server rejected the deletion.
        ClusterError: The journal could not be written; nothing was deleted.
    """
    raw = cluster.transport.get(paths.node(name))
    with cluster.journal.deleting(raw, standing(raw)) if cluster.journal else nullcontext():
        cluster.transport.delete(paths.node(name))


def create_node(cluster: MigCluster, name: str, labels: Mapping[str, str]) -> None:
    """Create the object of a node that `delete_node` deleted, with all that was written on it; wait until it is seen.

    Args:
        cluster: The cluster.
        name: Name of the node. Its kubelet adopts the object when it starts.
        labels: More labels, not empty. They are in the journal like any change.

    Raises:
        ApiError: There is such a node, or the server rejected the object.
        WaitTimeout: The watch did not deliver the node within `limits.request` real seconds.
    """
    kept: Mapping[str, Any] = _standing(cluster, name)
    meta = {"name": name, "labels": {**kept["labels"], **labels}, "annotations": dict(kept["annotations"])}
    spec = {"taints": list(kept["taints"])} | ({"unschedulable": True} if kept["unschedulable"] else {})
    fields = {label(name, key): value for key, value in labels.items()}
    recorded = cluster.journal.changing({}, fields) if cluster.journal else nullcontext()
    with recorded, cluster.writes.writing() as versions:
        raw = cluster.transport.create(paths.nodes(), {"metadata": meta, "spec": spec})
        versions.add(raw["metadata"]["resourceVersion"])
    if cluster.journal:
        cluster.journal.rejoined(raw)
    uid, limit = raw["metadata"]["uid"], cluster.limits.request * max(cluster.clock.scale, 1.0)
    # Real seconds: it is the suite's own watch that is awaited, not the cluster.
    cluster.wait(lambda: any(node.uid == uid for node in cluster.nodes()), f"node {name} to appear", limit)


def put_back(cluster: MigCluster, name: str) -> tuple[str, ...]:
    """Write on a Node object that was registered again what people had written on the one that was deleted.

    Returns:
        What somebody else has written there meanwhile, one line each; it stays.

    Raises:
        ApiError: The node does not exist, or the server rejected the change.
    """
    kept = _standing(cluster, name)
    stays: list[str] = []

    def write(raw: Raw) -> None:
        patch, foreign = rejoin_patch(raw, kept)
        stays[:] = foreign
        if patch:
            version = {"resourceVersion": raw["metadata"]["resourceVersion"]}
            cluster.patch(paths.node(name), {**patch, "metadata": {**patch.get("metadata", {}), **version}})

    cluster.rewrite(paths.node(name), write)
    if cluster.journal:
        cluster.journal.rejoined(cluster.transport.get(paths.node(name)))
    return tuple(stays)


def standing(raw: Raw) -> dict[str, Any]:
    """Return what people, and the suite, have written on a Node object, and what its components do not write again.

    Returns:
        As JSON: `labels`, `annotations`, `taints` (a list), `unschedulable` (true or false). Without the taints of
        Kubernetes itself, and without the label `mig.config` and its state.
    """
    name, found = raw["metadata"]["name"], {}
    for kind, field_of in (("labels", label), ("annotations", annotation)):
        values = look_up(raw, ("metadata", kind)) or {}
        found[kind] = {
            key: value
            for key, value in values.items()
            if key not in _NOT_KEPT and not _is_of_product(raw, field_of(name, key))
        }
    taints = look_up(raw, ("spec", "taints")) or []
    lasting = [taint for taint in taints if not taint["key"].startswith(_OF_KUBERNETES)]
    return {**found, "taints": lasting, "unschedulable": bool(look_up(raw, cordon(name).keys))}


def rejoin_patch(raw: Raw, kept: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the merge patch that puts back what is missing, and what somebody else has written in its place.

    Args:
        raw: The Node object as it is.
        kept: What `standing` returned for the former one.
    """
    patch: dict[str, Any] = {}
    stays = []
    for field, value in _fields(raw["metadata"]["name"], kept):
        now = look_up(raw, field.keys)
        if now == value:
            continue
        if now is not None and not _is_of_product(raw, field):
            stays.append(f"{field} is {now}, was {value}")
            continue
        patch.setdefault("metadata", {}).setdefault(field.keys[1], {})[field.keys[2]] = value
    there = look_up(raw, ("spec", "taints")) or []
    known = {(taint["key"], taint["effect"]) for taint in there}
    if missing := [taint for taint in kept["taints"] if (taint["key"], taint["effect"]) not in known]:
        patch.setdefault("spec", {})["taints"] = [*there, *missing]
    if kept["unschedulable"] and not look_up(raw, ("spec", "unschedulable")):
        patch.setdefault("spec", {})["unschedulable"] = True
    return patch, stays


def lacking(raw: Raw, kept: Mapping[str, Any], but: Mapping[Field, Any]) -> list[str]:
    """Return what a Node object lacks of what people had written on the former one, one line each.

    Args:
        raw: The Node object as it is.
        kept: What `standing` returned for the former one.
        but: Fields that the suite itself changed, which are put back in another way.
    """
    fields = ((field, value) for field, value in _fields(raw["metadata"]["name"], kept) if field not in but)
    lines = [f"{field} was {value}, is gone" for field, value in fields if look_up(raw, field.keys) is None]
    there = {(taint["key"], taint["effect"]) for taint in look_up(raw, ("spec", "taints")) or []}
    gone = [taint for taint in kept["taints"] if (taint["key"], taint["effect"]) not in there]
    return lines + [
        f"taint {taint['key']}:{taint['effect']} of node {raw['metadata']['name']} is gone" for taint in gone
    ]


def _fields(name: str, kept: Mapping[str, Any]) -> Iterator[tuple[Field, Value]]:
    for kind, field_of in (("labels", label), ("annotations", annotation)):
        for key, value in kept[kind].items():
            yield field_of(name, key), value


def _is_of_product(raw: Raw, field: Field) -> bool:
    """Whether only components of the product and of Kubernetes wrote a field: they write it again."""
    who = writers(raw, field)
    return bool(who) and PRODUCT_WRITERS.issuperset(who)


def _standing(cluster: MigCluster, name: str) -> Mapping[str, Any]:
    entry = cluster.journal.entries.get(paths.node(name)) if cluster.journal else None
    if entry is None or entry.standing is None:
        raise ClusterError(f"the journal does not say that the suite deleted node {name}")
    return entry.standing
