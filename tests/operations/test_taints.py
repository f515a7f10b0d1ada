"""Taints and other fields of a node that somebody else changes during a run."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.cluster import paths
from conformance.cluster.changes import NodeChange
from conformance.operations.taints import keeps_pods_away, kept_off_by, new_taints, node_changes
from tests.suite.memory import Memory

MINE = {"key": "mine", "value": "x", "effect": "NoSchedule"}


def spec(memory: Memory, **fields: Any) -> None:
    memory.put(paths.node("a"), memory.get(paths.node("a")) | {"spec": fields})


def taint(key: str, effect: str = "NoSchedule") -> dict[str, str]:
    return {"key": key, "effect": effect}


def watched() -> Memory:
    memory = Memory()
    memory.node("a", gpu=7)
    spec(memory, taints=[MINE])
    memory.watch()
    return memory


def test_new_taints_are_those_that_keep_pods_away_and_were_not_there() -> None:
    memory = watched()
    assert new_taints(memory.cluster, "a") == ()

    others = [taint("soft", "PreferNoSchedule"), taint("node.kubernetes.io/unschedulable")]
    spec(memory, taints=[MINE, taint("new"), *others])
    spec(memory, taints=[taint("new"), taint("out", "NoExecute"), MINE])
    assert new_taints(memory.cluster, "a") == ("new=:NoSchedule", "out=:NoExecute")

    spec(memory, taints=[MINE])
    assert new_taints(memory.cluster, "a") == ()


def test_changes_of_others_are_neither_own_writes_nor_the_taint_of_a_cordon() -> None:
    memory = watched()
    spec(memory, taints=[MINE, taint("node.kubernetes.io/unschedulable")], unschedulable=True)
    cordon = memory.cluster.timeline.of(NodeChange, node="a")[0]
    spec(memory, taints=[MINE, taint("node.kubernetes.io/unschedulable"), taint("new")], unschedulable=True)
    spec(memory, taints=[MINE, taint("new")])

    seen = node_changes(memory.cluster.timeline.since(0), lambda version: version == cordon.version)
    assert [(change.field, change.before, change.after) for change in seen][1:] == [("unschedulable", "True", "False")]
    assert seen[0].field == "taints"
    assert seen[0].after.endswith("new=:NoSchedule")


@pytest.mark.parametrize(
    ("text", "keeps"),
    [
        ("maintenance=yes:NoSchedule", True),
        ("maintenance=:NoExecute", True),
        ("maintenance=:PreferNoSchedule", False),
        ("nvidia.com/gpu=present:NoSchedule", False),
        ("nvidia.com/gpu=present:NoExecute", True),
        ("nvidia.com/gpu.deploy=x:NoSchedule", True),
        ("node.kubernetes.io/unschedulable=:NoSchedule", False),
    ],
)
def test_a_taint_keeps_pods_away_unless_they_tolerate_it(text: str, keeps: bool) -> None:
    assert keeps_pods_away(text) is keeps
    assert kept_off_by([], [text]) == ((text,) if keeps else ())
    assert kept_off_by([text], [text]) == ()
