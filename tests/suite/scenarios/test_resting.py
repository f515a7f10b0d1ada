"""A node at rest is watched until it is asked again, the strategy changes, or the run ends."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.cluster import paths
from conformance.spec.names import DCGM_APP, MIG_CONFIG, MIG_CONFIG_STATE, OPERATOR_NAMESPACE
from conformance.suite.node_in_cell import NodeInCell
from conformance.suite.scenarios.resting import Resting, WatchRest
from tests.expect.made import gpu
from tests.suite.memory import Memory
from tests.suite.nodes import arrival, node_in

STATE, COUNT = MIG_CONFIG_STATE, "nvidia.com/gpu.count"


@pytest.fixture
def memory() -> Memory:
    memory = Memory()
    memory.node(labels={MIG_CONFIG: "a"}, gpu=7)
    operand(memory, DCGM_APP)
    memory.watch()
    return memory


def operand(
    memory: Memory, app: str, *, namespace: str = OPERATOR_NAMESPACE, owner: str = "DaemonSet", **status: Any
) -> None:
    owners = [{"kind": owner, "name": app, "controller": True}]
    memory.put(
        paths.pod(namespace, app),
        {
            "metadata": {"labels": {"app": app}, "ownerReferences": owners},
            "spec": {"nodeName": "sim-0"},
            "status": status,
        },
    )


def at_rest(memory: Memory) -> NodeInCell:
    node = node_in(memory, came=arrival(), seen=(gpu(),))
    node.at_rest = memory.cluster.timeline.mark()
    return node


def look(node: NodeInCell) -> Resting:
    return WatchRest().observe(node, None)


def states(seen: Resting) -> list[str | None]:
    return [change.after.get(STATE) for change in seen.label_changes]


def test_what_came_before_the_rest_is_not_part_of_it(memory: Memory) -> None:
    memory.node(labels={MIG_CONFIG: "a", STATE: "success"}, gpu=7)
    node = at_rest(memory)

    assert look(node) == Resting((), (), (), (), (gpu(),))


def test_everything_is_seen_until_the_node_is_asked_again(memory: Memory) -> None:
    node = at_rest(memory)
    memory.node(labels={MIG_CONFIG: "a", STATE: "failed"}, gpu=0)
    operand(memory, DCGM_APP, conditions=[{"type": "Ready", "status": "True"}])
    memory.node(labels={MIG_CONFIG: "b"}, gpu=7)
    memory.node(labels={MIG_CONFIG: "b", STATE: "pending"}, gpu=7)
    operand(memory, DCGM_APP)

    seen = look(node)
    assert states(seen) == ["failed"]
    assert [change.after for change in seen.resource_changes] == [0, 0]
    assert [change.event for change in seen.pod_changes] == ["ready"]


def test_the_label_that_is_removed_is_a_question_too(memory: Memory) -> None:
    node = at_rest(memory)
    memory.node(labels={STATE: "unknown"}, gpu=7)

    assert states(look(node)) == []


def test_a_change_of_strategy_ends_the_rest(memory: Memory) -> None:
    node = at_rest(memory)
    memory.node(labels={MIG_CONFIG: "a", COUNT: "1"}, gpu=7)
    memory.watch_policies()
    memory.policy(mig={"strategy": "mixed"})
    memory.node(labels={MIG_CONFIG: "a", COUNT: "2"}, gpu=7)

    assert [change.after[COUNT] for change in look(node).label_changes] == ["1"]


def test_what_the_suite_writes_is_left_out(memory: Memory) -> None:
    node = at_rest(memory)
    memory.cluster.set_labels("sim-0", {COUNT: "9"})

    assert look(node).label_changes == ()


def test_pods_are_those_of_operands_and_the_one_that_stands_for_users(memory: Memory) -> None:
    memory.pod("bystander", "mig-conformance")
    node = at_rest(memory)
    node.bystander = memory.cluster.pod("bystander")
    operand(memory, "other", namespace="elsewhere")
    operand(memory, "job", owner="Job")
    memory.pod("mine", "mig-conformance")
    memory.delete(paths.pod("mig-conformance", "bystander"))
    operand(memory, "new")

    assert [change.name for change in look(node).pod_changes] == ["bystander", "new"]


def test_taints_are_seen(memory: Memory) -> None:
    node = at_rest(memory)
    raw = memory.get(paths.node("sim-0"))
    memory.put(paths.node("sim-0"), raw | {"spec": {"taints": [{"key": "a", "effect": "NoSchedule"}]}})

    assert [change.field for change in look(node).node_changes] == ["taints"]


def test_a_node_that_was_found_there_rests_since_the_suite_looks(memory: Memory) -> None:
    memory.node(labels={MIG_CONFIG: "a", STATE: "failed"}, gpu=7)

    assert states(look(node_in(memory))) == ["failed"]


def test_a_consequence_that_is_seen_before_its_cause_is_no_part_of_the_rest(memory: Memory) -> None:
    """Pods and nodes are watched apart: a pod may be seen to end before the label is seen that ends it."""
    node = at_rest(memory)
    store = memory.cluster._store
    label = memory.get(paths.node("sim-0"))
    pod = memory.get(paths.pod(OPERATOR_NAMESPACE, DCGM_APP))
    memory.put(paths.pod(OPERATOR_NAMESPACE, DCGM_APP), pod | {"metadata": {"deletionTimestamp": "now"}})
    assert [change.event for change in look(node).pod_changes] == ["terminating"]
    ending = memory.cluster.timeline.since(node.at_rest)[-1]
    asked = {**label["metadata"], "labels": {MIG_CONFIG: "b"}, "resourceVersion": str(int(ending.version) - 1)}
    store.apply(store.nodes, label | {"metadata": asked}, deleted=False)

    assert look(node).pod_changes == ()
