"""The files of the device plugin: which one a node has, and the strategy that it gives."""

from __future__ import annotations

import pytest

from conformance.cluster import paths
from conformance.operations.plugin_files import strategy_in
from conformance.spec.names import DEVICE_PLUGIN_CONFIG, OPERATOR_NAMESPACE, Strategy
from conformance.suite.scenario import Needs
from conformance.suite.targets import find_targets
from conformance.suite.visit import unmet
from tests.suite.memory import Memory
from tests.suite.nodes import node_in

FILES = {"one": "flags: {migStrategy: single}", "both": "version: v1\nflags:\n  migStrategy: mixed\n", "plain": "{}"}


@pytest.mark.parametrize(
    ("text", "strategy"),
    [
        (FILES["one"], Strategy.SINGLE),
        (FILES["both"], Strategy.MIXED),
        ("flags: {migStrategy: none}", Strategy.NONE),
        ("flags: {migStrategy: other}", Strategy.NONE),
        ("flags: {migStrategy: [single]}", Strategy.NONE),
        ("flags: none", Strategy.NONE),
        ("", Strategy.NONE),
        ("{", Strategy.NONE),
    ],
)
def test_a_file_names_a_strategy_or_none(text: str, strategy: Strategy) -> None:
    assert strategy_in(text) is strategy


@pytest.mark.parametrize(
    ("labels", "config", "strategy"),
    [
        ({}, {}, Strategy.NONE),
        ({}, {"name": "plugin"}, Strategy.NONE),
        ({}, {"name": "plugin", "default": "one"}, Strategy.SINGLE),
        ({DEVICE_PLUGIN_CONFIG: "both"}, {"name": "plugin", "default": "one"}, Strategy.MIXED),
        ({DEVICE_PLUGIN_CONFIG: "plain"}, {"name": "plugin", "default": "one"}, Strategy.NONE),
        ({DEVICE_PLUGIN_CONFIG: "both"}, {"name": "missing"}, Strategy.NONE),
    ],
)
def test_the_label_of_a_node_chooses_before_the_default(
    labels: dict[str, str], config: dict[str, str], strategy: Strategy
) -> None:
    memory = Memory()
    memory.node(labels=labels, gpu=8)
    memory.policy(devicePlugin={"config": config})
    memory.configuration("default-mig-parted-config", "version: v1")
    memory.put(paths.config_map(OPERATOR_NAMESPACE, "plugin"), {"data": FILES})

    assert find_targets(memory.cluster, ())[0].own_strategy is strategy


@pytest.mark.parametrize(
    ("labels", "config", "says"),
    [
        ({}, {}, None),
        ({}, {"name": "plugin"}, "the device plugin has files already, in ConfigMap plugin"),
        ({DEVICE_PLUGIN_CONFIG: "one"}, {}, f"nodes have the label {DEVICE_PLUGIN_CONFIG}: sim-0"),
    ],
)
def test_files_of_others_are_not_replaced(labels: dict[str, str], config: dict[str, str], says: str | None) -> None:
    memory = Memory()
    memory.node(labels=labels, gpu=8)
    memory.policy(devicePlugin={"config": config})
    found = unmet(Needs(no_plugin_files=True), node_in(memory))

    assert found is None if says is None else found is not None and found.startswith(says)
