"""Expected resources and labels agree with recordings of the device plugin and GPU Feature Discovery."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from conformance.expect.device_plugin import DevicePlugin, refusal
from conformance.expect.geometry import observed_geometry
from conformance.expect.label_checks import check_labels
from conformance.expect.labels import expected_labels
from conformance.expect.observed import Driver, ObservedGpu
from conformance.expect.resources import check_resources, expected_resources
from conformance.spec.names import PREFIX, Strategy
from tests.expect.made import context, gpu

RECORDED = yaml.safe_load(Path(__file__).with_name("recorded-nodes.yaml").read_text(encoding="utf-8"))
NODES = pytest.mark.parametrize("node", RECORDED, ids=lambda node: f"{node['board']}-{node['case']}")
STRATEGIES = pytest.mark.parametrize("strategy", Strategy)
PLUGIN = DevicePlugin("v0.20.0")
VERSIONS = {
    "cuda.driver-version.full": "580.159.04",
    "cuda.driver-version.major": "580",
    "cuda.driver-version.minor": "159",
    "cuda.driver-version.revision": "04",
    "cuda.driver.major": "580",
    "cuda.driver.minor": "159",
    "cuda.driver.rev": "04",
    "cuda.runtime-version.full": "13.0",
    "cuda.runtime-version.major": "13",
    "cuda.runtime-version.minor": "0",
    "cuda.runtime.major": "13",
    "cuda.runtime.minor": "0",
}


def gpus_of(node: dict[str, Any]) -> list[ObservedGpu]:
    capable = node["case"] != "not-mig-capable"
    return [
        gpu(instances, board=board, index=index, mode=bool(mode), capable=capable)
        for index, (board, mode, instances) in enumerate(node["gpus"])
    ]


@NODES
@STRATEGIES
def test_resources(node: dict[str, Any], strategy: Strategy) -> None:
    expected = expected_resources(observed_geometry(gpus_of(node)), strategy, PLUGIN)

    check_resources(context(strategy=strategy), node["resources"][strategy], expected)
    assert expected == node["resources"][strategy]


@NODES
@STRATEGIES
def test_the_plugin_exits_for_the_reason_expected(node: dict[str, Any], strategy: Strategy) -> None:
    reason = refusal(observed_geometry(gpus_of(node)), strategy, PLUGIN)

    assert (reason is not None) == (strategy in node["exits"])
    assert reason is None or reason in node["exits"][strategy]


@NODES
@STRATEGIES
def test_labels(node: dict[str, Any], strategy: Strategy) -> None:
    gpus = gpus_of(node)
    found = {PREFIX + name: value for name, value in (node["labels"][strategy] | VERSIONS).items()}
    expected = expected_labels(gpus, observed_geometry(gpus), strategy, Driver("580.159.04", (13, 0)))

    check_labels(context(strategy=strategy), found, expected)
