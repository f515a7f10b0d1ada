"""What a run finds before it plans."""

from __future__ import annotations

from typing import Any

import pytest

from conformance.backends.backend import READ_ONLY
from conformance.cluster import paths
from conformance.cluster.errors import ClusterError
from conformance.spec.names import DEFAULT_CONFIG_MAP, MIG_CONFIG, MIG_CONFIG_STATE, Strategy
from conformance.suite.cells import AS_FOUND
from conformance.suite.planning import Planner
from conformance.suite.survey import survey
from tests.suite.made import CONFIGURATION, cell, options
from tests.suite.memory import Memory


@pytest.fixture
def memory() -> Memory:
    memory = Memory()
    memory.node("a", {MIG_CONFIG: "all-1g.10gb", MIG_CONFIG_STATE: "success"})
    memory.node("b", {MIG_CONFIG: "all-1g.10gb", MIG_CONFIG_STATE: "pending"})
    memory.configuration(DEFAULT_CONFIG_MAP, CONFIGURATION)
    return memory


def look(memory: Memory, **chosen: Any) -> Planner:
    return survey(options(**chosen), memory.cluster, READ_ONLY, simulated=False)


def test_it_knows_nodes_strategy_and_the_cells_they_are_in(memory: Memory) -> None:
    """A node between two states is in no cell."""
    found = look(memory)

    assert list(found.targets) == ["a", "b"]
    assert found.strategy is Strategy.SINGLE
    assert found.found == {"a": cell("single-all-1g.10gb")}
    assert found.waves == {"a": AS_FOUND, "b": AS_FOUND}
    assert memory.requests == []


def test_it_knows_whose_pods_hold_the_gpus_of_a_node(memory: Memory) -> None:
    memory.pod("training", "team-a", node="a", limits={"nvidia.com/mig-1g.10gb": "1"})
    memory.pod("serving", "team-a", node="a", limits={"nvidia.com/gpu": "1"})
    memory.pod("done", "team-a", node="b", limits={"nvidia.com/gpu": "1"}, status={"phase": "Succeeded"})
    memory.pod("web", "team-b", node="b")

    assert look(memory).in_use["a"] == (
        "node a is in use: team-a/serving, team-a/training hold GPUs; end them or choose another --node"
    )


@pytest.mark.parametrize("mig", [{}, {"strategy": ""}, {"strategy": "none"}])
def test_no_strategy_is_none(mig: dict[str, str], memory: Memory) -> None:
    memory.policy(mig=mig)

    assert look(memory).strategy is Strategy.NONE


def test_a_strategy_that_does_not_exist_is_told(memory: Memory) -> None:
    memory.policy(mig={"strategy": "both"})

    with pytest.raises(ClusterError, match="'both'; there are none, single and mixed"):
        look(memory)


def test_a_configuration_that_no_node_offers_is_told(memory: Memory) -> None:
    with pytest.raises(
        ClusterError, match=r"unknown configuration all-9g; the nodes offer: all-1g\.10gb, all-2g\.20gb"
    ):
        look(memory, configurations=("all-9g", "all-disabled"))


def test_a_node_with_a_taint_that_keeps_pods_away_is_left_as_it_is(memory: Memory) -> None:
    tolerated = {"key": "nvidia.com/gpu", "value": "present", "effect": "NoSchedule"}
    for name, taints in {"a": [tolerated], "b": [tolerated, {"key": "maintenance", "effect": "NoSchedule"}]}.items():
        memory.put(paths.node(name), memory.get(paths.node(name)) | {"spec": {"taints": taints}})

    in_use = look(memory).in_use
    assert "a" not in in_use
    assert in_use["b"] == (
        "node b has the taint maintenance=:NoSchedule, which keeps the pods of the suite away; "
        "`kubectl taint node b maintenance-` removes it, or choose another --node"
    )
