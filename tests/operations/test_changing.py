"""`MigCluster.change`, `change_all` and `create`: recorded, never over a value of somebody else, and put back."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.cluster import paths
from conformance.cluster.errors import ApiError
from conformance.operations.errors import ForeignChangeError, NodeLostError
from conformance.operations.fields import (
    Field,
    annotation,
    config_map_key,
    cordon,
    guarded_patch,
    label,
    look_up,
    policy_field,
    shortest_absent,
)
from conformance.operations.mig_cluster import MigCluster
from conformance.operations.restored import RestoreOutcome
from conformance.operations.safekeeping import Safekeeping
from conformance.spec.names import MIG_CONFIG, OPERATOR_NAMESPACE
from tests.cluster.stand import Stand

POLICY = "cluster-policy"
STRATEGY = policy_field(POLICY, "mig", "strategy")
CUSTOM = policy_field(POLICY, "migManager", "config", "name")
ENV = policy_field(POLICY, "migManager", "env")
FILE = config_map_key(OPERATOR_NAMESPACE, "mine", "config.yaml")
MADE = paths.config_map(OPERATOR_NAMESPACE, "made")


@pytest.fixture
def mine(stand: Stand, cluster: MigCluster) -> MigCluster:
    meta = {"name": "mine"}
    stand.hand.create(paths.config_maps(OPERATOR_NAMESPACE), {"metadata": meta, "data": {"config.yaml": "found"}})
    return cluster


def content(stand: Stand, *objects: str) -> list[Any]:
    """The objects without what the server counts."""
    found = [stand.hand.get(path) for path in objects]
    for one in found:
        one["metadata"] = {key: one["metadata"].get(key) for key in ("name", "labels", "annotations")}
    return found


def test_any_field_of_any_object_is_put_back(stand: Stand, mine: MigCluster) -> None:
    objects = (paths.node("a"), paths.policy(POLICY), FILE.object)
    before = content(stand, *objects)
    keeping = Safekeeping(mine, "run-1")
    with keeping:
        mine.change(CUSTOM, "mine")
        mine.change(policy_field(POLICY, "devicePlugin", "config", "default"), "x")
        mine.change(ENV, [{"name": "WITH_REBOOT", "value": "true"}])
        mine.change(STRATEGY, None)
        mine.change(FILE, "ours")
        mine.change(FILE, None)
        mine.change_all({annotation("a", "example.com/x"): "1", annotation("a", "example.com/y"): "2"})
        mine.change_all({label("a", "tier"): "1", cordon("a"): True})
        mine.create(paths.config_maps(OPERATOR_NAMESPACE), {"metadata": {"name": "made"}, "data": {"k": "v"}})
        assert stand.hand.get(MADE)["data"] == {"k": "v"}
        mine.change(config_map_key(OPERATOR_NAMESPACE, "made", "k"), "edited")
        mine.change(config_map_key(OPERATOR_NAMESPACE, "made", "new"), "added")
        assert look_up(stand.hand.get(paths.policy(POLICY)), CUSTOM.keys) == "mine"

    assert keeping.report is not None
    assert (keeping.report.outcome, keeping.report.differences) == (RestoreOutcome.EXACT, ())
    assert content(stand, *objects) == before
    with pytest.raises(ApiError, match="NotFound"):
        stand.hand.get(MADE)


@pytest.mark.parametrize("field", [STRATEGY, label("a", "tier"), cordon("a"), FILE], ids=str)
def test_a_value_of_somebody_else_is_neither_overwritten_nor_put_back(
    stand: Stand, mine: MigCluster, field: Field
) -> None:
    ours, theirs = (True, False) if field == cordon("a") else ("ours", "theirs")
    keeping = Safekeeping(mine, "run-1")
    with keeping:
        mine.change(field, ours)
        stand.hand.patch(field.object, nested(field.keys, theirs))
        with pytest.raises((ForeignChangeError, NodeLostError), match=f"{field.keys[-1]}.* of .*: {ours} -> "):
            mine.change(field, "again")

    assert look_up(stand.hand.get(field.object), field.keys) in (theirs, None)
    assert keeping.report is not None
    if field != cordon("a"):  # an uncordoned node is as it was
        (line,) = keeping.report.changed_since
        assert line.startswith(f"{field} is {theirs}")
        assert line.endswith(f"and the suite had set {ours}")


def nested(keys: tuple[str, ...], value: object) -> dict[str, Any]:
    for key in reversed(keys):
        value = {key: value}
    assert isinstance(value, dict)
    return value


def test_an_object_that_somebody_changed_or_made_is_not_deleted(stand: Stand, cluster: MigCluster) -> None:
    collection = paths.config_maps(OPERATOR_NAMESPACE)
    stand.hand.create(collection, {"metadata": {"name": "theirs"}, "data": {"k": "v"}})
    keeping = Safekeeping(cluster, "run-1")
    with keeping:
        with pytest.raises(ApiError, match="AlreadyExists"):
            cluster.create(collection, {"metadata": {"name": "theirs"}, "data": {"k": "v"}})
        cluster.create(collection, {"metadata": {"name": "made"}, "data": {"k": "v"}})
        stand.hand.patch(MADE, {"data": {"k": "of somebody else"}})

    assert stand.hand.get(MADE)["data"] == {"k": "of somebody else"}
    assert stand.hand.get(f"{collection}/theirs")["data"] == {"k": "v"}
    assert keeping.report is not None
    assert any("configmap gpu-operator/made is not as the suite created it" in x for x in keeping.report.changed_since)


def test_an_object_of_the_same_name_is_another_object(stand: Stand, mine: MigCluster) -> None:
    keeping = Safekeeping(mine, "run-1")
    with keeping:
        mine.change(FILE, "ours")
        stand.hand.delete(FILE.object)
        stand.hand.create(
            paths.config_maps(OPERATOR_NAMESPACE), {"metadata": {"name": "mine"}, "data": {"config.yaml": "ours"}}
        )

    assert stand.hand.get(FILE.object)["data"] == {"config.yaml": "ours"}
    assert keeping.report is not None
    (since,) = keeping.report.changed_since
    assert since == (
        "configmap gpu-operator/mine is another object of the same name, which stays as it is; it has values of the "
        "suite: data.config.yaml of configmap gpu-operator/mine is ours, was found"
    )


def test_a_change_that_the_server_rejects_is_not_taken_for_the_suite_s(cluster: MigCluster) -> None:
    keeping = Safekeeping(cluster, "run-1")
    with keeping:
        with pytest.raises(ApiError):
            cluster.change(label("a", "tier"), "not a label value!")
        cluster.change(label("a", "tier"), "1")

    assert keeping.report is not None
    assert (keeping.report.outcome, keeping.report.changed_since) == (RestoreOutcome.EXACT, ())
    assert "tier" not in cluster.transport.get(paths.node("a"))["metadata"]["labels"]


def test_what_the_operator_writes_in_consequence_is_not_somebody_else(stand: Stand, cluster: MigCluster) -> None:
    """The operator gives a node without `mig.config` its default."""
    keeping = Safekeeping(cluster, "run-1")
    with keeping:
        cluster.change(label("a", MIG_CONFIG), None)
        stand.label("a", mig__config="all-disabled")
        cluster.change(label("a", MIG_CONFIG), "all-1g.10gb")


def test_a_patch_tests_what_it_overwrites_and_makes_the_parents_once() -> None:
    raw = {"metadata": {"resourceVersion": "7"}, "spec": {"a": {"b": 1}}}
    patch = guarded_patch(
        raw, {Field("o", ("spec", "a", "b")): 2, Field("o", ("x", "y", "z")): 1, Field("o", ("x", "y", "w")): 2}, {}
    )

    assert patch == [
        {"op": "test", "path": "/spec/a/b", "value": 1},
        {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
        {"op": "add", "path": "/spec/a/b", "value": 2},
        {"op": "add", "path": "/x", "value": {"y": {"z": 1}}},
        {"op": "add", "path": "/x/y/w", "value": 2},
    ]
    assert guarded_patch(raw, {Field("o", ("spec", "a", "b")): 1}, {}) == []


@pytest.mark.parametrize(
    ("raw", "existed", "removed"),
    [
        ({"a": {"b": {"c": 1}}}, 0, ("a",)),
        ({"a": {"b": {"c": 1}}}, 2, ("a", "b", "c")),
        ({"a": {"b": {"c": 1}, "of": "others"}}, 0, ("a", "b")),
        ({"a": {"b": {"c": 1, "of": "others"}}}, 0, ("a", "b", "c")),
    ],
)
def test_parents_that_the_suite_made_go_with_the_field(
    raw: dict[str, Any], existed: int, removed: tuple[str, ...]
) -> None:
    assert shortest_absent(raw, ("a", "b", "c"), existed) == removed
