"""What the changes of a node do beside it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conformance.cluster import paths
from conformance.operations.side_effects import side_effects
from conformance.spec.names import (
    DEPLOY_PREFIX,
    GFD_TIMESTAMP,
    MIG_CONFIG,
    MIG_CONFIG_STATE,
    MIG_MANAGER_APP,
    OPERATOR_NAMESPACE,
    PAUSED,
)
from tests.suite.memory import Memory

REVISION = {"controller-revision-hash": "1"}
DRAIN = {"conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"}]}
Act = Callable[[Memory], object]


def made(*acts: Act, state: str = "success", paused: str = PAUSED) -> tuple[frozenset[str], ...]:
    """Change `sim-0` once for each act, which happens meanwhile, and return the side effects."""
    memory = Memory()
    memory.node("sim-1", gpu=7)
    memory.node("sim-0", gpu=7)
    memory.watch()
    for number, act in enumerate(acts):
        asked = {MIG_CONFIG: f"configuration-{number}"}
        memory.node("sim-0", labels=asked, gpu=7)
        memory.node("sim-0", labels=asked | {DEPLOY_PREFIX + "dcgm": paused, MIG_CONFIG_STATE: "pending"}, gpu=7)
        act(memory)
        memory.node("sim-0", labels=asked | {DEPLOY_PREFIX + "dcgm": "true", MIG_CONFIG_STATE: state}, gpu=7)
    return side_effects(memory.cluster, "sim-0", ["sim-1"], None)


def deleted(node: str, **fields: object) -> Act:
    def act(memory: Memory) -> None:
        namespace = str(fields.pop("namespace", OPERATOR_NAMESPACE))
        memory.pod("worker-x7k2p", namespace, node=node, **{"labels": REVISION, **fields})
        memory.delete(paths.pod(namespace, "worker-x7k2p"))

    return act


def labelled(**labels: str) -> Act:
    return lambda memory: memory.node("sim-1", labels={f"nvidia.com/{name}": it for name, it in labels.items()}, gpu=7)


def test_each_change_has_what_happened_in_it() -> None:
    seen = made(deleted("sim-1"), labelled(mine="1"), lambda _: None, deleted("sim-0"))

    assert [sorted(effects) for effects in seen] == [
        ["sim-1: pod of DaemonSet worker deleted"],
        ["sim-1: label nvidia.com/mine written"],
        [],
        ["sim-0: pod of DaemonSet worker deleted"],
    ]


@pytest.mark.parametrize(
    "act",
    [
        deleted("sim-0", labels=REVISION | {"app": "nvidia-operator-validator"}),
        deleted("sim-1", labels={}),
        deleted("sim-1", status=DRAIN),
        deleted("sim-1", status={"phase": "Failed"}),
        labelled(**{GFD_TIMESTAMP.removeprefix("nvidia.com/"): "2"}),
    ],
    ids=["an operand of the node", "no DaemonSet", "evicted", "it had ended", "the time of GFD"],
)
def test_what_others_do_is_left_out(act: Act) -> None:
    assert made(act) == (frozenset(),)


def test_pods_of_users_with_the_label_of_an_operand_count() -> None:
    (seen,) = made(deleted("sim-0", namespace="team", labels=REVISION | {"app": "nvidia-operator-validator"}))

    assert seen == {"sim-0: pod of DaemonSet worker deleted"}


def test_a_change_without_its_manager_does_not_count() -> None:
    restarted = deleted("sim-0", labels=REVISION | {"app": MIG_MANAGER_APP})

    (seen,) = made(restarted, deleted("sim-1"))
    assert seen == {"sim-1: pod of DaemonSet worker deleted"}


@pytest.mark.parametrize(("state", "paused"), [("failed", PAUSED), ("success", "true")])
def test_only_changes_that_succeed_count(state: str, paused: str) -> None:
    assert made(deleted("sim-1"), state=state, paused=paused) == ()
