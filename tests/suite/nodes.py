"""Nodes in their cells, as scenarios and cases get them."""

from __future__ import annotations

from typing import Any, Final

from conformance.expect.device_plugin import DevicePlugin
from conformance.expect.finding import CheckContext
from conformance.expect.node import FOUND_THERE, ExpectedNode, expected_node
from conformance.expect.observed import ObservedGpu
from conformance.operations.evidence import Outcome, Reconfiguration, StrategyChange
from conformance.suite.arrival import Arrival
from conformance.suite.cells import Cell
from conformance.suite.node_in_cell import NodeInCell, StayTimeline
from conformance.suite.observer import Observation, Observer
from conformance.suite.operand_warnings import OperandWarnings
from conformance.suite.workloads import Workloads
from tests.expect.made import gpu
from tests.suite.made import cell, target
from tests.suite.memory import Memory

MIG_MANAGER: Final = "v0.15.0"
DEVICE_PLUGIN: Final = DevicePlugin("v0.20.0")


def reconfiguration(outcome: Outcome = Outcome.SUCCESS, **known: Any) -> Reconfiguration:
    """Evidence in which everything that is not said is empty."""
    fields: dict[str, Any] = dict.fromkeys(Reconfiguration.__dataclass_fields__, ())
    empty = {"labels_before": {}, "problem": "", "mark": 0, "started": 0.0, "answered": None}
    return Reconfiguration(**fields | empty | {"outcome": outcome} | known)


def strategy_change(before: str, after: str, mark: int = 0) -> StrategyChange:
    """A change of strategy that went well."""
    return StrategyChange(before, after, True, 0, 1, {}, (), "", mark)


def arrival(outcome: Outcome = Outcome.SUCCESS, *, switched: StrategyChange | None = None, **known: Any) -> Arrival:
    """A node that was brought somewhere; `known` says more of its reconfiguration."""
    return Arrival(
        reconfiguration=reconfiguration(outcome, **known),
        labels_before={},
        before=(gpu(),),
        resumed_before=False,
        strategy_change=switched,
    )


def expectation(at: Cell, node: str = "sim-0", *, came: Arrival | None = None, count: int = 1) -> ExpectedNode:
    """What a node of so many GPUs must show in a cell."""
    return expected_node(
        CheckContext((), node, at.strategy, at.configuration),
        tuple(gpu(index=index) for index in range(count)),
        target(node).entries(at.configuration),
        mig_manager=MIG_MANAGER,
        device_plugin=DEVICE_PLUGIN,
        approach=came.approach if came else FOUND_THERE,
    )


def node_in(
    memory: Memory,
    text: str = "single-all-1g.10gb",
    node: str = "sim-0",
    *,
    came: Arrival | None = None,
    seen: tuple[ObservedGpu, ...] | None = None,
    mark: int = 0,
    count: int = 1,
) -> NodeInCell:
    """A node in its cell on a cluster in memory; `seen` are its GPUs as they were read there."""
    cluster, at = memory.cluster, cell(text)
    observer = Observer(cluster, "r1", "python:3", use_exec=False)
    return NodeInCell(
        cluster=cluster,
        target=target(node),
        cell=at,
        expected=expectation(at, node, came=came, count=count),
        workloads=Workloads(cluster, observer, node, "r1", "python:3"),
        warnings=OperandWarnings(cluster),
        timeline=StayTimeline(cluster, node, mark),
        arrival=came,
        observed=None if seen is None else Observation(seen, ()),
    )
