"""Patches never change what they are applied to, and share what they do not touch."""

from __future__ import annotations

import copy
import json

from hypothesis import given
from hypothesis import strategies as st

from conformance.sim.apiserver.resources.schema import schema_of
from conformance.sim.apiserver.writing.apply import fields_of, from_tree, removed, to_tree
from conformance.sim.apiserver.writing.patches import apply_operations, merge, shared, strategic

KEYS = st.sampled_from(["a", "b", "c", "nvidia.com/mig.config"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(0, 9) | st.text("xy", max_size=2),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(KEYS, below, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(KEYS, VALUES, max_size=4)
CONDITIONS = st.lists(
    st.fixed_dictionaries({"type": st.sampled_from("ABCD"), "status": st.sampled_from(["True", "False"])}),
    unique_by=lambda item: item["type"],
    max_size=4,
)


@given(OBJECTS, OBJECTS)
def test_merge_leaves_its_arguments_alone(value: dict[str, object], patch: dict[str, object]) -> None:
    before = copy.deepcopy((value, patch))
    merge(value, patch)
    assert (value, patch) == before


@given(OBJECTS, OBJECTS)
def test_merging_twice_is_merging_once(value: dict[str, object], patch: dict[str, object]) -> None:
    once = merge(value, patch)
    assert merge(once, patch) == once


@given(OBJECTS)
def test_merge_of_nothing_shares_everything(value: dict[str, object]) -> None:
    merged = merge(value, {})
    assert merged == value
    assert all(merged[name] is value[name] for name in value)


@given(CONDITIONS, CONDITIONS)
def test_conditions_merge_as_a_map_by_type(old: list[dict[str, str]], new: list[dict[str, str]]) -> None:
    schema = schema_of("V1NodeStatus")
    before = copy.deepcopy(old)
    found = strategic({"conditions": old}, {"conditions": new}, schema)["conditions"]
    by_type = {item["type"]: item["status"] for item in [*old, *new]}
    assert {item["type"]: item["status"] for item in found} == by_type
    assert len(found) == len(by_type)
    assert old == before


@given(OBJECTS)
def test_json_patch_leaves_the_object_alone(value: dict[str, object]) -> None:
    before = copy.deepcopy(value)
    patched = apply_operations(value, [{"op": "add", "path": "/new", "value": 1}])
    assert patched == {**before, "new": 1}
    assert value == before
    assert all(patched[name] is value[name] for name in value), "what is equal is shared"


@given(OBJECTS, OBJECTS)
def test_sharing_changes_no_value(old: dict[str, object], new: dict[str, object]) -> None:
    assert shared(old, new) == new
    assert shared(old, json.loads(json.dumps(old))) is old


@given(OBJECTS)
def test_fields_survive_the_way_through_an_object(value: dict[str, object]) -> None:
    fields = fields_of(value, schema_of("V1ObjectMeta"))
    assert from_tree(to_tree(fields)) == fields
    left = fields_of(removed(value, fields), schema_of("V1ObjectMeta"))
    assert left == frozenset()
